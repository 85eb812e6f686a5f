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
	var err error
	for range 100 {
		port := firstPort + rand.IntN(lastPort-firstPort+1)
		// A listener on another address keeps the port for us, and unlike a file ends with the process. Not every system has a
		// second address of the loopback: there, nothing does.
		var lock, probe net.Listener
		lock, err = net.Listen("tcp", fmt.Sprint("127.0.0.2:", port))
		if err != nil && !errors.Is(err, syscall.EADDRNOTAVAIL) {
			continue
		}
		addr := fmt.Sprint("127.0.0.1:", port)
		if probe, err = net.Listen("tcp", addr); err != nil {
			if lock != nil {
				_ = lock.Close()
			}
			continue
		}
		_ = probe.Close()
		if lock != nil {
			tb.Cleanup(func() { _ = lock.Close() })
		}
		return addr
	}
	tb.Fatal("finding a free port: ", err)
	return ""
}
