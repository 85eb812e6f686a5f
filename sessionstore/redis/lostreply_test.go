package redis_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/redis"
	"github.com/caddy-session/caddy-session/test/redistest"
)

// proxy stands between a store and a server, and loses replies.
type proxy struct {
	net.Listener
	to string

	mu   sync.Mutex
	lose map[string]loss
	lost int
}

// loss describes a lost reply: its first keep bytes arrive, then after is called.
type loss struct {
	keep  int
	after func()
}

func newProxy(t *testing.T, to string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{Listener: l, to: to, lose: make(map[string]loss)}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(conn)
		}
	}()
	return p
}

func (p *proxy) addr() string { return p.Addr().String() }

// loseReplyTo loses the next reply to a command that contains text, and breaks the connection.
func (p *proxy) loseReplyTo(text string, keep int, after func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lose[text] = loss{keep, after}
}

func (p *proxy) losses() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lost
}

func (p *proxy) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", p.to)
	if err != nil {
		return
	}
	defer server.Close()
	doomed := make(chan loss, 64)
	go func() {
		defer server.Close()
		buf := make([]byte, 64<<10)
		for {
			n, err := client.Read(buf)
			if err != nil {
				return
			}
			p.mu.Lock()
			for text, l := range p.lose {
				if bytes.Contains(buf[:n], []byte(text)) {
					doomed <- l
					delete(p.lose, text)
					p.lost++
				}
			}
			p.mu.Unlock()
			if _, err := server.Write(buf[:n]); err != nil {
				return
			}
		}
	}()
	buf := make([]byte, 64<<10)
	for {
		n, err := server.Read(buf)
		if err != nil {
			return
		}
		select {
		case l := <-doomed:
			_, _ = client.Write(buf[:min(l.keep, n)])
			if l.keep == n {
				_, _ = server.Read(buf) // read the rest, so that the whole batch has run
			}
			if l.after != nil {
				l.after()
			}
			return
		default:
		}
		if _, err := client.Write(buf[:n]); err != nil {
			return
		}
	}
}

// lossy is a store that connects through proxies, and one that connects directly.
type lossy struct {
	*store
	direct *store
	lose   func(key string, keep int, after func())
	losses func() int
}

func TestLostReply(t *testing.T) {
	t.Parallel()
	all := func(t *testing.T, l lossy) {
		for range 20 { // so that the servers know the scripts
			if err := l.basics(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		t.Run("alone", func(t *testing.T) { lostReply(t, l) })
		t.Run("and another writer", func(t *testing.T) { lostReplyAndAnotherWriter(t, l) })
		t.Run("counts once", func(t *testing.T) { lostReplyCountsOnce(t, l) })
	}
	t.Run("one server", func(t *testing.T) {
		t.Parallel()
		server := redistest.Start(t, redistest.Options{})
		eachWay(t, func(t *testing.T, o redis.Options) {
			p := newProxy(t, server.Addr())
			all(t, lossy{open(t, at(o, p.addr())), open(t, redis.Options{Addrs: []string{server.Addr()}}), p.loseReplyTo, p.losses})
		})
	})
	t.Run("cluster", func(t *testing.T) {
		t.Parallel()
		cluster := redistest.StartCluster(t, redistest.Options{NodeTimeout: 4 * time.Second})
		proxies, addrs := announced(t, cluster)
		direct := open(t, redis.Options{Addrs: addrs})
		eachWay(t, func(t *testing.T, o redis.Options) {
			lose := func(key string, keep int, after func()) {
				for _, p := range proxies {
					p.loseReplyTo(key, keep, after)
				}
			}
			losses := func() (n int) {
				for _, p := range proxies {
					n += p.losses()
				}
				return n
			}
			all(t, lossy{open(t, at(o, addrs...)), direct, lose, losses})
		})
	})
}

// announced makes the masters of a Cluster announce proxies as their addresses.
func announced(t *testing.T, cluster *redistest.Cluster) (proxies []*proxy, addrs []string) {
	for _, node := range cluster.Nodes[:3] {
		p := newProxy(t, node.Addr())
		_, port, _ := net.SplitHostPort(p.addr())
		do(t, node, "CONFIG", "SET", "cluster-announce-port", port)
		proxies, addrs = append(proxies, p), append(addrs, p.addr())
	}
	eventually(t, 10*time.Second, func() error {
		for _, node := range cluster.Nodes {
			slots := fmt.Sprint(do(t, node, "CLUSTER", "SLOTS"))
			for _, addr := range addrs {
				_, port, _ := net.SplitHostPort(addr)
				if !bytes.Contains([]byte(slots), []byte(" "+port+" ")) {
					return errors.New("a node does not name the proxies yet")
				}
			}
		}
		return nil
	})
	return proxies, addrs
}

func lostReply(t *testing.T, l lossy) {
	before := l.losses()
	for i := range 10 {
		key := fmt.Sprintf("lost-%d-%d", last.Add(1), i)
		one, two := record(100), record(100)
		l.lose(key, 0, nil)
		l.save(key, nil, one)
		l.direct.want(key, one)
		l.read(key)
		l.lose(key, 0, nil)
		l.save(key, one, two)
		l.direct.want(key, two)
		l.lose(key, 0, nil)
		l.want(key, two)
		l.lose(key, 0, nil)
		if err := l.Touch(t.Context(), key, two, 2*time.Hour); err != nil {
			t.Errorf("touching: %v", err)
		}
		l.lose(key, 0, nil)
		if _, err := l.CompareAndDelete(t.Context(), key, two); err != nil {
			t.Errorf("deleting: %v", err)
		}
		l.direct.want(key, nil)
	}
	if n := l.losses() - before; n < 50 {
		t.Errorf("only %d replies were lost", n)
	}
}

// Another writer overwrites a save whose reply was lost. The outcome of that save is unknown. With
// a conflict, the caller would apply the same change again.
func lostReplyAndAnotherWriter(t *testing.T, l lossy) {
	for i := range 5 {
		key := fmt.Sprintf("lost-%d-%d", last.Add(1), i)
		one, two, three := record(100), record(100), record(100)
		l.save(key, nil, one)
		l.lose(key, 0, func() { l.direct.save(key, two, three) })
		unavailable(t, "saving", l.try(key, one, two))
		l.direct.want(key, three)

		l.lose(key, 0, func() { l.direct.save(key, nil, one) })
		_, err := l.CompareAndDelete(t.Context(), key, three)
		unavailable(t, "deleting", err)
		l.direct.want(key, one)

		l.lose(key, 0, func() {
			if _, err := l.direct.CompareAndDelete(context.Background(), key, two); err != nil {
				t.Error(err)
			}
		})
		unavailable(t, "saving what is deleted at once", l.try(key, one, two))
		l.direct.want(key, nil)
	}
}

// A write whose reply was lost is overwritten, and the server that the next attempt reaches does
// not know the script, as after a failover. That attempt may be one of go-redis: a Cluster's client
// makes some by itself.
func TestLostReplyAndNoScript(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, redistest.Options{NodeTimeout: 4 * time.Second})
	proxies, addrs := announced(t, cluster)
	for _, name := range twoWays { // one after the other, as both need the scripts
		var o redis.Options
		variants[name](&o)
		s, direct := open(t, at(o, addrs...)), open(t, redis.Options{Addrs: addrs})
		overwritten := func(key string, write func() error, was, is []byte) {
			t.Helper()
			direct.save(key+"known", nil, is) // so that the server knows the scripts
			if _, err := direct.CompareAndDelete(t.Context(), key+"known", is); err != nil {
				t.Fatal(err)
			}
			for _, p := range proxies {
				p.loseReplyTo(key, 0, func() {
					direct.save(key, was, is)
					for _, node := range cluster.Nodes[:3] {
						do(t, node, "SCRIPT", "FLUSH")
					}
				})
			}
			unavailable(t, name, write())
			direct.want(key, is)
		}
		for range 5 {
			key := fmt.Sprintf("{lost-%d}", last.Add(1))
			one, two, three := record(100), record(100), record(100)
			s.save(key, nil, one)
			overwritten(key, func() error { return s.try(key, one, two) }, two, three)
			overwritten(key, func() error { _, err := s.CompareAndDelete(t.Context(), key, three); return err }, nil, one)
		}
	}
}

// A change counts once, whatever happens to the reply.
func lostReplyCountsOnce(t *testing.T, l lossy) {
	scope := sessionstore.Scope{Site: "name ", Host: "example.org"}
	m := sessionstore.NewManager(l.Store, sessionstore.Options{StoreTimeout: 5 * time.Second})
	sessions := sessionstore.NewManager(l.direct.Store, sessionstore.Options{})
	out, err := m.Commit(t.Context(), &sessionstore.Session{Scope: scope}, increment())
	if err != nil {
		t.Fatal(err)
	}
	const times = 20
	before := l.losses()
	for range times - 1 {
		s, err := m.Load(t.Context(), out.ID, scope)
		if err != nil || !s.Exists() {
			t.Fatalf("loading: %v", err)
		}
		l.lose(sessionstore.Native{}.Key(out.ID, out.Ref), 0, nil)
		if _, err := m.Commit(t.Context(), s, increment()); err != nil {
			t.Fatal(err)
		}
	}
	s, err := sessions.Load(t.Context(), out.ID, scope)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := s.Data(), `{"n":`+strconv.Itoa(times)+`}`; got != want {
		t.Errorf("the count is %s, want %s", got, want)
	}
	if n := l.losses() - before; n < times-1 {
		t.Errorf("only %d replies were lost", n)
	}
}

func increment() *sessionstore.Change {
	return &sessionstore.Change{Edits: []sessionstore.Edit{sessionstore.Increment("n", 1)}}
}

// With wait_replicas there are two replies: to the save and to WAIT. Only the second is lost.
func TestLostReplyToWait(t *testing.T) {
	t.Parallel()
	set := redistest.StartSentinel(t, calm)
	p := newProxy(t, set.Servers[0].Addr())
	direct := open(t, redis.Options{Addrs: []string{set.Servers[0].Addr()}})
	l := open(t, redis.Options{Addrs: []string{p.addr()}, WaitReplicas: 2})
	one, two, three := record(100), record(100), record(100)
	l.save("lost", nil, one)
	p.loseReplyTo("lost", len(":1\r\n"), nil)
	l.save("lost", one, two)
	direct.want("lost", two)
	p.loseReplyTo("lost", len(":1\r\n"), func() { direct.save("lost", one, three) })
	unavailable(t, "saving", l.try("lost", two, one))
	direct.want("lost", three)
	if p.losses() != 2 {
		t.Errorf("%d replies were lost", p.losses())
	}
}
