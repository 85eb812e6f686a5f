package redistest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"syscall"
)

// The ports are below Linux's range for outgoing connections, so that none of these takes the port
// of a killed server before its restart.
const (
	firstPort = 20000
	lastPort  = 32767
)

// port is a port of 127.0.0.1 that no other user of this package takes.
type port struct {
	number int
	// lock listens on the same port of another loopback address. Unlike a lock file, it ends with
	// the process.
	lock net.Listener
}

func (p *port) release() {
	if p.lock != nil {
		_ = p.lock.Close()
	}
}

// reservePort finds a free port. A program that does not use this package may still take it.
func reservePort() (*port, error) {
	var err error
	for range 100 {
		p := &port{number: firstPort + rand.IntN(lastPort-firstPort+1)}
		// Not every system has a second loopback address: there, the port is not locked.
		p.lock, err = net.Listen("tcp", fmt.Sprint("127.0.0.2:", p.number))
		if err != nil && !errors.Is(err, syscall.EADDRNOTAVAIL) {
			continue
		}
		var probe net.Listener
		probe, err = net.Listen("tcp", fmt.Sprint("127.0.0.1:", p.number))
		if err == nil {
			_ = probe.Close()
			return p, nil
		}
		p.release()
	}
	return nil, fmt.Errorf("finding a free port: %w", err)
}
