package sqltest

import (
	"net"
	"sync"
	"testing"
)

// Proxy forwards data between clients and a server, and loses the answers that it is told to lose.
type Proxy struct {
	// Addr is the listen address (host:port).
	Addr string

	mu       sync.Mutex
	target   string
	accepted int

	loses func(request []byte) bool
	then  func()
	lost  int

	conns map[net.Conn]bool
}

// StartProxy runs a proxy until the test ends.
func StartProxy(tb testing.TB, target string) *Proxy {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = l.Close() })
	p := &Proxy{Addr: l.Addr().String(), target: target, conns: make(map[net.Conn]bool)}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(client)
		}
	}()
	return p
}

// Lose breaks the connection when the server has answered such a request, before the client gets
// the answer. It calls then, unless nil, before it breaks the connection.
func (p *Proxy) Lose(is func(request []byte) bool, then func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.loses, p.then = is, then
}

// Lead makes new connections go to another server. Existing ones stay, as after a failover of a
// database.
func (p *Proxy) Lead(target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = target
}

// Accepted returns the number of connections so far.
func (p *Proxy) Accepted() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.accepted
}

// Break closes all connections.
func (p *Proxy) Break() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for conn := range p.conns {
		_ = conn.Close()
	}
}

// Lost returns the number of lost answers.
func (p *Proxy) Lost() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lost
}

func (p *Proxy) serve(client net.Conn) {
	defer client.Close()
	p.mu.Lock()
	target := p.target
	p.accepted++
	p.mu.Unlock()
	server, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer server.Close()
	p.mu.Lock()
	p.conns[server] = true
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		delete(p.conns, server)
		p.mu.Unlock()
	}()
	var mu sync.Mutex
	doomed := false
	go func() {
		defer server.Close()
		buf := make([]byte, 1<<20)
		for {
			n, err := client.Read(buf)
			if n > 0 {
				p.mu.Lock()
				if p.loses != nil && p.loses(buf[:n]) {
					p.loses = nil
					mu.Lock()
					doomed = true
					mu.Unlock()
				}
				p.mu.Unlock()
				if _, err := server.Write(buf[:n]); err != nil {
					return
				}
			}
			if err != nil {
				return
			}
		}
	}()
	buf := make([]byte, 1<<20)
	for {
		n, err := server.Read(buf)
		mu.Lock()
		lose := doomed
		mu.Unlock()
		if n > 0 && lose {
			p.mu.Lock()
			p.lost++
			then := p.then
			p.mu.Unlock()
			if then != nil {
				then()
			}
			return
		}
		if n > 0 {
			if _, err := client.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
