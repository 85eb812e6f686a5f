package http_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// wire is a UDP path to a server. It records what the client sends, and holds the server's packets
// back while it is held.
type wire struct {
	client, server net.PacketConn
	to             net.Addr

	mu       sync.Mutex
	from     net.Addr
	held     bool
	kept     [][]byte
	recorded [][]byte
}

func newWire(t *testing.T, addr string) *wire {
	t.Helper()
	w := &wire{held: true}
	var err error
	if w.to, err = net.ResolveUDPAddr("udp", addr); err != nil {
		t.Fatal(err)
	}
	for _, conn := range []*net.PacketConn{&w.client, &w.server} {
		if *conn, err = net.ListenPacket("udp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = (*conn).Close() })
	}
	go w.carry(w.client, func(datagram []byte, from net.Addr) {
		w.from = from
		if w.held {
			w.recorded = append(w.recorded, datagram)
		}
		_, _ = w.server.WriteTo(datagram, w.to)
	})
	go w.carry(w.server, func(datagram []byte, _ net.Addr) {
		if w.held {
			w.kept = append(w.kept, datagram)
		} else {
			_, _ = w.client.WriteTo(datagram, w.from)
		}
	})
	return w
}

func (w *wire) carry(in net.PacketConn, use func([]byte, net.Addr)) {
	for {
		datagram := make([]byte, 2048)
		n, from, err := in.ReadFrom(datagram)
		if err != nil {
			return
		}
		w.mu.Lock()
		use(datagram[:n], from)
		w.mu.Unlock()
	}
}

// release lets the server's packets through.
func (w *wire) release() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.held = false
	for _, datagram := range w.kept {
		_, _ = w.client.WriteTo(datagram, w.from)
	}
}

// replay sends the packets that were recorded before the release again, from another address.
func (w *wire) replay(t *testing.T) {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, datagram := range w.recorded {
		_, _ = conn.WriteTo(datagram, w.to)
	}
}

// ticket tells when a client may send early data.
type ticket struct {
	tls.ClientSessionCache
	put chan struct{}
}

func (c *ticket) Put(key string, state *tls.ClientSessionState) {
	c.ClientSessionCache.Put(key, state)
	if state != nil {
		select {
		case c.put <- struct{}{}:
		default:
		}
	}
}

// Whoever records a client's packets before the end of the handshake can replay them.
func TestAttackReplayedEarlyData(t *testing.T) {
	t.Parallel()
	_, b, config := secure(t, `
	handle /alone {
		reverse_proxy $BACKEND
	}
	handle {
		session {
			store memory
			secret $SECRET
		}
		reverse_proxy $BACKEND
	}`)
	b.change("update", `{"user":"zoe"}`)
	cookie := b.cookies()
	var mu sync.Mutex
	asked := map[string]int{}
	b = b.via(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked[r.Method+" "+r.URL.Path]++
		mu.Unlock()
		echo(w, r)
	})
	times := func(request string) int {
		mu.Lock()
		defer mu.Unlock()
		return asked[request]
	}
	request := func(method, path string) *http.Request {
		r := b.request(method, path, nil)
		if strings.HasPrefix(path, "/mine") {
			r.Header.Set("Cookie", cookie)
		}
		return r
	}

	// The first connection gets the session ticket with which the next one can send early data.
	config = config.Clone()
	cache := &ticket{tls.NewLRUClientSessionCache(1), make(chan struct{}, 1)}
	config.ClientSessionCache = cache
	first := &http3.Transport{TLSClientConfig: config}
	resp, err := first.RoundTrip(request(http.MethodGet, "/mine"))
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(resp, err)
	}
	_ = resp.Body.Close()
	select {
	case <-cache.put:
	case <-time.After(patience):
		t.Fatal("the server sent no session ticket")
	}
	_ = first.Close()

	wire := newWire(t, b.addr)
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	defer cancel()
	config.NextProtos = []string{http3.NextProtoH3}
	config.ServerName = "127.0.0.1"
	conn, err := quic.DialAddrEarly(ctx, wire.client.LocalAddr().String(), config, new(quic.Config))
	if err != nil {
		t.Fatal(err)
	}
	second := new(http3.Transport)
	defer second.Close()
	client := second.NewClientConn(conn)
	const alone, mine, post = "GET /alone", "GET /mine", "POST /post"
	streams := map[string]*http3.RequestStream{}
	for _, text := range []string{mine, post, alone} {
		method, path, _ := strings.Cut(text, " ")
		stream, err := client.OpenRequestStream(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if err := stream.SendRequestHeader(request(method, path)); err != nil {
			t.Fatal(err)
		}
		_ = stream.Close()
		streams[text] = stream
	}
	before := times(mine)
	eventually(t, "early data is executed before the handshake", func() bool { return times(alone) > 0 })
	wire.release()
	for text, want := range map[string]int{alone: http.StatusOK, mine: http.StatusTooEarly, post: http.StatusTooEarly} {
		resp, err := streams[text].ReadResponse()
		if err != nil || resp.StatusCode != want {
			t.Fatalf("%s: %v, %v", text, resp, err)
		}
		_ = resp.Body.Close()
	}
	if !conn.ConnectionState().Used0RTT {
		t.Fatal("the request was not early data")
	}
	if times(mine) != before || times(post) != 0 {
		t.Error("a request in early data reached the backend")
	}

	// After the handshake the same requests succeed, as browsers repeat them.
	for _, text := range []string{mine, post} {
		method, path, _ := strings.Cut(text, " ")
		resp, err := client.RoundTrip(request(method, path))
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s after the handshake: %v, %v", text, resp, err)
		}
		_ = resp.Body.Close()
	}
	_ = conn.CloseWithError(0, "")

	count := times(alone)
	eventually(t, "a replay is executed", func() bool {
		wire.replay(t)
		time.Sleep(200 * time.Millisecond)
		return times(alone) > count
	})
	time.Sleep(200 * time.Millisecond) // for requests that arrived with it
	if times(mine) != before+1 || times(post) != 1 {
		t.Errorf("replays have reached the backend: %v", asked)
	}
}
