package memcached_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/memcached"
	"github.com/caddy-session/caddy-session/test/memcachedtest"
)

// lossy is a proxy for a server. It breaks the connection in place of the reply to a chosen
// command, which the server has run.
type lossy struct {
	net.Listener
	server string
	lose   atomic.Pointer[string] // the beginning of that command
	after  func()                 // called before the connection breaks
	lost   atomic.Int32
}

func newLossy(tb testing.TB, server string) *lossy {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = l.Close() })
	p := &lossy{Listener: l, server: server, after: func() {}}
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

// serve relies on each command and reply arriving in one read, as small ones do on the loopback.
func (p *lossy) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", p.server)
	if err != nil {
		return
	}
	defer server.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := client.Read(buf)
		if err != nil {
			return
		}
		lose := p.lose.Load()
		losing := lose != nil && bytes.HasPrefix(buf[:n], []byte(*lose)) && p.lose.CompareAndSwap(lose, nil)
		if _, err := server.Write(buf[:n]); err != nil {
			return
		}
		n, err = server.Read(buf)
		if losing {
			p.lost.Add(1)
			p.after()
			return
		}
		if _, writeErr := client.Write(buf[:n]); errors.Join(err, writeErr) != nil && !errors.Is(err, io.EOF) {
			return
		}
	}
}

// The reply to a write is lost. The next attempt recognizes its own write. Where it cannot know,
// the error must not be a conflict: the caller would apply the change again.
func TestLostReplies(t *testing.T) {
	t.Parallel()
	server := memcachedtest.Start(t)
	direct := open(t, memcached.Options{Addrs: []string{server.Addr}})
	ctx := t.Context()
	set := func(old []byte, value string) func(*memcached.Store, string) error {
		return func(s *memcached.Store, key string) error {
			_, err := s.CompareAndSet(ctx, key, old, []byte(value), time.Hour)
			return err
		}
	}
	remove := func(s *memcached.Store, key string) error {
		_, err := s.CompareAndDelete(ctx, key, []byte("one"))
		return err
	}
	touch := func(s *memcached.Store, key string) error { return s.Touch(ctx, key, []byte("one"), time.Minute) }
	for key, test := range map[string]struct {
		lose  string
		old   string           // the record at first
		then  func(key string) // called between the write and the next attempt
		call  func(s *memcached.Store, key string) error
		ok    bool
		leave string
	}{
		"create": {lose: "add", call: set(nil, "two"), ok: true, leave: "two"},
		"save":   {lose: "cas", old: "one", call: set([]byte("one"), "two"), ok: true, leave: "two"},
		"delete": {lose: "cas", old: "one", call: remove, ok: true},
		"touch":  {lose: "cas", old: "one", call: touch, ok: true, leave: "one"},
		"create-changed-since": {
			lose: "add", call: set(nil, "two"), leave: "three",
			then: func(key string) { save(t, direct, key, []byte("two"), []byte("three")) },
		},
		"save-changed-since": {
			lose: "cas", old: "one", call: set([]byte("one"), "two"), leave: "three",
			then: func(key string) { save(t, direct, key, []byte("two"), []byte("three")) },
		},
		"save-deleted-since": {
			lose: "cas", old: "one", call: set([]byte("one"), "two"),
			then: func(key string) { _, _ = direct.CompareAndDelete(ctx, key, []byte("two")) },
		},
		"delete-made-anew-since": {
			lose: "cas", old: "one", call: remove, leave: "three",
			then: func(key string) { save(t, direct, key, nil, []byte("three")) },
		},
	} {
		t.Run(key, func(t *testing.T) {
			if test.old != "" {
				save(t, direct, key, nil, []byte(test.old))
			}
			p := newLossy(t, server.Addr)
			if test.then != nil {
				p.after = func() { test.then(key) }
			}
			p.lose.Store(&test.lose)
			err := test.call(open(t, memcached.Options{Addrs: []string{p.Addr().String()}}), key)
			if p.lost.Load() != 1 {
				t.Fatal("no reply was lost")
			}
			if test.ok && err != nil || !test.ok && (!errors.Is(err, sessionstore.ErrUnavailable) || errors.Is(err, sessionstore.ErrConflict)) {
				t.Errorf("got %v", err)
			}
			want(t, direct, key, test.leave)
		})
	}
}
