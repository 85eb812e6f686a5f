package harness

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"syscall"
	"testing"
)

// The ports of FreeAddr are below the range for outgoing connections, and outside of
// test/redistest's range.
const firstPort, lastPort = 10000, 19999

// FreeAddr returns an unused loopback address that no other test gets until this one ends.
func FreeAddr(tb testing.TB) string {
	tb.Helper()
	for range 100 {
		port := firstPort + rand.IntN(lastPort-firstPort+1)
		// An abstract socket reserves the port and ends with the process. Only Linux has them.
		lock, err := net.Listen("unix", fmt.Sprint("@caddy-session-test-port-", port))
		if errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		if err != nil {
			lock = nil
		}
		probe, err := net.Listen("tcp", fmt.Sprint(":", port)) // on all addresses, like Caddy
		if err != nil {
			if lock != nil {
				_ = lock.Close()
			}
			continue
		}
		_ = probe.Close()
		if lock != nil {
			tb.Cleanup(func() { _ = lock.Close() })
		}
		return fmt.Sprint("127.0.0.1:", port)
	}
	tb.Fatal("no free port")
	return ""
}
