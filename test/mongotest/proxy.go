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

// Proxy stands between clients and a server, passes their messages on, and does to some of them what it is told to.
type Proxy struct {
	// Addr is where it listens (host:port).
	Addr string

	target string

	mu    sync.Mutex
	rule  *rule
	met   int
	conns map[net.Conn]bool
}

// rule is what happens to the next requests of a kind.
type rule struct {
	is    func(request []byte) bool
	times int
	reply bson.D // what is answered instead of passing the request on; nil: its answer is lost
	then  func()
}

// StartProxy runs a proxy until the end of the test.
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

// URI is where clients find it.
func (p *Proxy) URI() string { return "mongodb://" + p.Addr + "/" }

// Lose has the connection break once the server has answered the next such request, before the client gets the answer. Then is called
// before the client can know, unless it is nil.
func (p *Proxy) Lose(is func(request []byte) bool, then func()) {
	p.set(&rule{is: is, times: 1, then: then})
}

// Answer gives a reply of its own to the next such requests, as often as times says. They do not reach the server.
func (p *Proxy) Answer(times int, is func(request []byte) bool, reply bson.D) {
	p.set(&rule{is: is, times: times, reply: reply})
}

// Met is how many requests something was done to since it was last told what to do.
func (p *Proxy) Met() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.met
}

// Break ends all connections.
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

// meets returns the rule that is for a request, if there is one.
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

// one passes a request and its answer on.
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
		return errors.New("the answer is lost")
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

// answer sends a document as the reply to a request: an OP_MSG without flags, with one section of kind 0.
func answer(client net.Conn, request []byte, doc bson.D) error {
	raw, err := bson.Marshal(doc)
	if err != nil {
		return err
	}
	message := binary.LittleEndian.AppendUint32(nil, uint32(16+4+1+len(raw)))
	message = append(message, 0, 0, 0, 0)
	message = append(message, request[4:8]...) // the id of the request
	message = binary.LittleEndian.AppendUint32(message, 2013)
	message = append(message, 0, 0, 0, 0, 0)
	_, err = client.Write(append(message, raw...))
	return err
}
