package memcached_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/caddy-session/caddy-session/internal/breaker"
	"github.com/caddy-session/caddy-session/internal/longtest"
	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/memcached"
	"github.com/caddy-session/caddy-session/sessionstore/storetest"
	"github.com/caddy-session/caddy-session/test/memcachedtest"
)

// last numbers the stores of the suite, so that each has its own keys.
var last atomic.Int64

type store struct {
	*memcached.Store
	prefix string
}

func suite(t *testing.T, addrs ...string) {
	open := func(t *testing.T, prefix string) sessionstore.Store {
		s, err := memcached.Open(memcached.Options{Addrs: addrs, KeyPrefix: prefix, Timeout: 5 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		return &store{s, prefix}
	}
	again := func(t *testing.T, s sessionstore.Store) sessionstore.Store { return open(t, s.(*store).prefix) }
	storetest.Run(t, storetest.Harness{
		New:    func(t *testing.T) sessionstore.Store { return open(t, fmt.Sprintf("%d:", last.Add(1))) },
		Second: again,
		Reopen: again,
	})
}

func TestStore(t *testing.T) {
	t.Parallel()
	one, two := memcachedtest.Start(t), memcachedtest.Start(t)
	t.Run("one server", func(t *testing.T) {
		t.Parallel()
		suite(t, one.Addr)
	})
	t.Run("two servers", func(t *testing.T) {
		t.Parallel()
		longtest.Test(t)
		suite(t, one.Addr, two.Addr)
	})
}

func open(tb testing.TB, o memcached.Options) *memcached.Store {
	tb.Helper()
	s, err := memcached.Open(o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	return s
}

func save(tb testing.TB, s *memcached.Store, key string, old, value []byte) {
	tb.Helper()
	if _, err := s.CompareAndSet(tb.Context(), key, old, value, time.Hour); err != nil {
		tb.Fatal(err)
	}
}

func want(tb testing.TB, s *memcached.Store, key, value string) {
	tb.Helper()
	e, err := s.Get(tb.Context(), key)
	if err != nil || string(e.Value) != value {
		tb.Fatalf("got %.40q, %v, want %.40q", e.Value, err, value)
	}
}

// One of two servers is killed: its sessions are unreachable, the others keep working. After a
// restart its keys work again.
func TestTwoServers(t *testing.T) {
	t.Parallel()
	one, two := memcachedtest.Start(t), memcachedtest.Start(t)
	var mu sync.Mutex
	var said []string
	s := open(t, memcached.Options{Addrs: []string{one.Addr, two.Addr}, OnState: func(addr string, err error) {
		mu.Lock()
		defer mu.Unlock()
		said = append(said, fmt.Sprint(addr, " ", err == nil))
	}})
	other := open(t, memcached.Options{Addrs: []string{two.Addr, one.Addr}})
	direct := memcache.New(two.Addr)
	var onTwo, onOne []string
	for i := range 100 {
		key := fmt.Sprint("key", i)
		save(t, s, key, nil, []byte("one"))
		want(t, other, key, "one") // the order of the addresses does not matter
		if _, err := direct.Get(key); err == nil {
			onTwo = append(onTwo, key)
		} else {
			onOne = append(onOne, key)
		}
	}
	if len(onTwo) < 25 || len(onOne) < 25 {
		t.Errorf("%d and %d sessions on the servers", len(onOne), len(onTwo))
	}
	// A third server takes sessions from both. The other sessions stay where they are.
	three := memcachedtest.Start(t)
	wider := open(t, memcached.Options{Addrs: []string{one.Addr, two.Addr, three.Addr}})
	stay := 0
	for i := range 100 {
		if e, err := wider.Get(t.Context(), fmt.Sprint("key", i)); err == nil && e.Found() {
			stay++
		}
	}
	if stay < 45 || stay > 90 {
		t.Errorf("%d of 100 sessions stay with a third server", stay)
	}

	two.Kill()
	for _, key := range onTwo {
		_, err1 := s.Get(t.Context(), key)
		_, err2 := s.CompareAndSet(t.Context(), key, []byte("one"), []byte("two"), time.Hour)
		_, err3 := s.CompareAndDelete(t.Context(), key, []byte("one"))
		err4 := s.Touch(t.Context(), key, []byte("one"), time.Hour)
		for _, err := range []error{err1, err2, err3, err4} {
			if !errors.Is(err, sessionstore.ErrUnavailable) || errors.Is(err, sessionstore.ErrConflict) || strings.Contains(err.Error(), key) {
				t.Fatalf("got %v", err)
			}
		}
	}
	for _, key := range onOne {
		want(t, s, key, "one")
		save(t, s, key, []byte("one"), []byte("two"))
	}
	two.Restart()
	back(t, s, onTwo[0])
	for _, key := range onTwo { // the restarted server is empty
		want(t, s, key, "")
		if e, err := s.CompareAndSet(t.Context(), key, []byte("one"), []byte("two"), time.Hour); err != sessionstore.ErrConflict || e.Found() {
			t.Fatalf("got %v", err)
		}
		save(t, s, key, nil, []byte("new"))
	}
	mu.Lock()
	defer mu.Unlock()
	if got := strings.Join(said, ","); got != two.Addr+" false,"+two.Addr+" true" {
		t.Errorf("said %s", got)
	}
}

// back waits until a server replies again.
func back(t *testing.T, s *memcached.Store, key string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if _, err := s.Get(t.Context(), key); err == nil {
			return
		} else if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

// A server restarts between two requests: the idle connections are broken, and no request fails.
func TestRestartUnnoticed(t *testing.T) {
	t.Parallel()
	server := memcachedtest.Start(t)
	s := open(t, memcached.Options{Addrs: []string{server.Addr}})
	for round := range 3 {
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				if _, err := s.CompareAndSet(t.Context(), fmt.Sprint("key", i), nil, []byte("one"), time.Hour); err != nil {
					t.Errorf("round %d: %v", round, err)
				}
			})
		}
		all.Wait()
		server.Restart()
	}
}

// TestServerHangs uses a server that accepts connections and never replies.
func TestServerHangs(t *testing.T) {
	t.Parallel()
	server := memcachedtest.Start(t)
	s := open(t, memcached.Options{Addrs: []string{server.Addr}, Timeout: 200 * time.Millisecond})
	save(t, s, "key", nil, []byte("one"))
	server.Pause()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.Get(ctx, "key"); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, sessionstore.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	for range 3 {
		if _, err := s.Get(t.Context(), "key"); !errors.Is(err, sessionstore.ErrUnavailable) {
			t.Errorf("got %v", err)
		}
	}
	// From now on only a probe takes the timeout.
	tried := 0
	for range 100 {
		if _, err := s.Get(t.Context(), "key"); !errors.Is(err, breaker.ErrOpen) {
			tried++
		}
	}
	if tried > 50 {
		t.Errorf("%d of 100 operations tried the server", tried)
	}
	server.Resume()
	back(t, s, "key")
	want(t, s, "key", "one")
}

// late is a context whose timer fires late, as on a busy machine.
type late struct{ context.Context }

func (late) Deadline() (time.Time, bool) { return time.Now(), true }

// The connection times out after the context's end and before its timer: the error is the
// context's.
func TestContextEndsLate(t *testing.T) {
	t.Parallel()
	server := memcachedtest.Start(t)
	s := open(t, memcached.Options{Addrs: []string{server.Addr}, Timeout: 50 * time.Millisecond})
	server.Pause()
	_, err := s.Get(late{t.Context()}, "key")
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, sessionstore.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
}

// The server refuses large items. The old item stays.
func TestTooLarge(t *testing.T) {
	t.Parallel()
	server := memcachedtest.Start(t, "-I", "1m")
	s := open(t, memcached.Options{Addrs: []string{server.Addr}})
	save(t, s, "key", nil, []byte("one"))
	for _, old := range [][]byte{nil, []byte("one")} {
		key := map[bool]string{true: "new", false: "key"}[old == nil]
		_, err := s.CompareAndSet(t.Context(), key, old, make([]byte, sessionstore.MaxValue), time.Hour)
		if !errors.Is(err, sessionstore.ErrUnavailable) || !strings.Contains(err.Error(), "too large") {
			t.Errorf("got %v", err)
		}
	}
	want(t, s, "key", "one")
	want(t, s, "new", "")
}

// Our keys hold items of other programs, which must not be changed.
func TestItemsOfOtherPrograms(t *testing.T) {
	t.Parallel()
	server := memcachedtest.Start(t)
	s := open(t, memcached.Options{Addrs: []string{server.Addr}, KeyPrefix: "session:"})
	direct := memcache.New(server.Addr)
	for i, item := range []memcache.Item{
		{Value: []byte("(dp0\nV_permanent\np1\nI01\ns.")}, {Value: []byte("x"), Flags: 1}, {Flags: 0x43535331, Value: []byte("short")}, {},
	} {
		key := fmt.Sprint("key", i)
		item.Key = "session:" + key
		if err := direct.Set(&item); err != nil {
			t.Fatal(err)
		}
		_, err1 := s.Get(t.Context(), key)
		_, err2 := s.CompareAndSet(t.Context(), key, nil, []byte("two"), time.Hour)
		_, err3 := s.CompareAndSet(t.Context(), key, []byte("x"), []byte("two"), time.Hour)
		_, err4 := s.CompareAndDelete(t.Context(), key, []byte("x"))
		err5 := s.Touch(t.Context(), key, []byte("x"), time.Hour)
		for _, err := range []error{err1, err2, err3, err4, err5} {
			if !errors.Is(err, sessionstore.ErrUnavailable) || !strings.Contains(err.Error(), "another program") {
				t.Errorf("item %d: got %v", i, err)
			}
		}
		if got, err := direct.Get(item.Key); err != nil || string(got.Value) != string(item.Value) || got.Flags != item.Flags {
			t.Errorf("item %d was changed: %v", i, err)
		}
	}
}

// TestOptions has a case on each side of every limit.
func TestOptions(t *testing.T) {
	for name, test := range map[string]struct {
		o  memcached.Options
		ok bool
	}{
		"least":          {memcached.Options{Addrs: []string{"a:1"}}, true},
		"no address":     {memcached.Options{}, false},
		"twice":          {memcached.Options{Addrs: []string{"a:1", "a:1"}}, false},
		"longest prefix": {memcached.Options{Addrs: []string{"a:1"}, KeyPrefix: strings.Repeat("x", memcached.MaxPrefix)}, true},
		"longer prefix":  {memcached.Options{Addrs: []string{"a:1"}, KeyPrefix: strings.Repeat("x", memcached.MaxPrefix+1)}, false},
		"space":          {memcached.Options{Addrs: []string{"a:1"}, KeyPrefix: "a b"}, false},
		"timeout":        {memcached.Options{Addrs: []string{"a:1"}, Timeout: time.Microsecond}, false},
		"pool":           {memcached.Options{Addrs: []string{"a:1"}, PoolSize: -1}, false},
		"several":        {memcached.Options{Addrs: []string{"a:1", "b:1"}}, true},
		"bare":           {memcached.Options{Addrs: []string{"a:1"}, Layout: python, Lifetime: time.Second}, true},
		"short bare":     {memcached.Options{Addrs: []string{"a:1"}, Layout: python, Lifetime: time.Second - 1}, false},
		"several bare":   {memcached.Options{Addrs: []string{"a:1", "b:1"}, Layout: python, Lifetime: time.Hour}, false},
	} {
		if _, err := memcached.Open(test.o); (err == nil) != test.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Server names that do not resolve, and ports without a listener.
func TestUnreachableServer(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	for _, addr := range []string{"no-such-host.invalid:11211", l.Addr().String(), "/no/such/socket"} {
		s := open(t, memcached.Options{Addrs: []string{addr}})
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if _, err := s.Get(ctx, "key"); !errors.Is(err, sessionstore.ErrUnavailable) {
			t.Errorf("%s: %v", addr, err)
		}
	}
}

// A load balancer without servers accepts a connection and closes it: that counts as an unreachable
// server.
func TestBalancerWithoutServers(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	var connections, states atomic.Int64
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_ = conn.Close()
			connections.Add(1)
		}
	}()
	s := open(t, memcached.Options{Addrs: []string{l.Addr().String()}, OnState: func(string, error) { states.Add(1) }})
	for range 200 {
		if _, err := s.Get(t.Context(), "key"); !errors.Is(err, sessionstore.ErrUnavailable) {
			t.Fatal(err)
		}
	}
	if n := connections.Load(); n > 50 || states.Load() != 1 {
		t.Errorf("200 requests took %d connections, %d states were reported", n, states.Load())
	}
}

func BenchmarkGet(b *testing.B) {
	s := open(b, memcached.Options{Addrs: []string{memcachedtest.Start(b).Addr}})
	for i := range 1000 {
		save(b, s, fmt.Sprint("key", i), nil, make([]byte, 500))
	}
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i += 7919 {
			if e, err := s.Get(b.Context(), fmt.Sprint("key", i%1000)); err != nil || !e.Found() {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkCompareAndSet(b *testing.B) {
	s := open(b, memcached.Options{Addrs: []string{memcachedtest.Start(b).Addr}})
	var worker atomic.Int64
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		key := fmt.Sprint("key", worker.Add(1))
		e, _ := s.Get(b.Context(), key)
		old := e.Value
		for n := 0; pb.Next(); n++ {
			value := append(make([]byte, 500), fmt.Sprint(n)...)
			if _, err := s.CompareAndSet(b.Context(), key, old, value, time.Hour); err != nil {
				b.Fatal(err)
			}
			old = value
		}
	})
}
