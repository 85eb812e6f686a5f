package mongotest

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// Proxy forwards messages between clients and a server, and disturbs the requests that it is told
// to.
type Proxy struct {
	// Addr is the listen address (host:port).
	Addr string

	target string

	mu    sync.Mutex
	rule  *rule
	met   int
	conns map[net.Conn]bool
}

// rule is a disturbance of the next requests of a kind.
type rule struct {
	is    func(request []byte) bool
	times int
	reply bson.D // sent instead of forwarding the request; nil: forward it and lose the reply
	then  func()
}

// StartProxy runs a proxy until the test ends.
func StartProxy(tb testing.TB, target string) *Proxy {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	p := &Proxy{Addr: l.Addr().String(), target: target, conns: make(map[net.Conn]bool)}
	tb.Cleanup(func() {
		_ = l.Close()
		p.Break()
	})
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

// URI returns the connection string of the proxy.
func (p *Proxy) URI() string { return "mongodb://" + p.Addr + "/" }

// Lose breaks the connection when the server has replied to the next such request, before the
// client gets the reply. It calls then, unless nil, before it breaks the connection.
func (p *Proxy) Lose(is func(request []byte) bool, then func()) {
	p.set(&rule{is: is, times: 1, then: then})
}

// Answer sends its own reply to the next such requests, the given number of times. They do not
// reach the server.
func (p *Proxy) Answer(times int, is func(request []byte) bool, reply bson.D) {
	p.set(&rule{is: is, times: times, reply: reply})
}

// Met returns the number of requests that were disturbed since the last rule was set.
func (p *Proxy) Met() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.met
}

// Break closes all connections.
func (p *Proxy) Break() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for conn := range p.conns {
		_ = conn.Close()
	}
}

func (p *Proxy) set(r *rule) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rule, p.met = r, 0
}

// meets returns the rule for a request, or nil.
func (p *Proxy) meets(request []byte) *rule {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.rule
	if r == nil || r.times == 0 || !r.is(request) {
		return nil
	}
	r.times--
	p.met++
	return r
}

func (p *Proxy) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer server.Close()
	p.mu.Lock()
	p.conns[client] = true
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		delete(p.conns, client)
		p.mu.Unlock()
	}()
	for p.one(client, server) == nil {
	}
}

// one forwards a request and its reply.
func (p *Proxy) one(client, server net.Conn) error {
	request, err := read(client)
	if err != nil {
		return err
	}
	r := p.meets(request)
	if r != nil && r.reply != nil {
		return answer(client, request, r.reply)
	}
	if _, err := server.Write(request); err != nil {
		return err
	}
	reply, err := read(server)
	if err != nil {
		return err
	}
	if r != nil {
		if r.then != nil {
			r.then()
		}
		return errors.New("the reply was lost")
	}
	_, err = client.Write(reply)
	return err
}

// read reads a message, which begins with its length.
func read(r io.Reader) ([]byte, error) {
	message := make([]byte, 4)
	if _, err := io.ReadFull(r, message); err != nil {
		return nil, err
	}
	message = append(message, make([]byte, binary.LittleEndian.Uint32(message)-4)...)
	_, err := io.ReadFull(r, message[4:])
	return message, err
}

// answer sends a document as a reply: an OP_MSG without flags and with one section of kind 0.
func answer(client net.Conn, request []byte, doc bson.D) error {
	raw, err := bson.Marshal(doc)
	if err != nil {
		return err
	}
	message := binary.LittleEndian.AppendUint32(nil, uint32(16+4+1+len(raw)))
	message = append(message, 0, 0, 0, 0)
	message = append(message, request[4:8]...) // request id
	message = binary.LittleEndian.AppendUint32(message, 2013)
	message = append(message, 0, 0, 0, 0, 0)
	_, err = client.Write(append(message, raw...))
	return err
}
