package harness

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"syscall"
	"testing"
)

// The ports of FreeAddr are below those that systems give to outgoing connections, and others than test/redistest's.
const firstPort, lastPort = 10000, 19999

// FreeAddr returns an address of the loopback that nothing listens on, and that no other test is given until this one ends.
func FreeAddr(tb testing.TB) string {
	tb.Helper()
	for range 100 {
		port := firstPort + rand.IntN(lastPort-firstPort+1)
		// A socket with a name and no file keeps the port for us, and ends with the process. Where there are none, nothing does.
		lock, err := net.Listen("unix", fmt.Sprint("@caddy-session-test-port-", port))
		if errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		if err != nil {
			lock = nil
		}
		probe, err := net.Listen("tcp", fmt.Sprint(":", port)) // on all addresses, as Caddy does
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
	tb.Fatal("there is no free port")
	return ""
}
