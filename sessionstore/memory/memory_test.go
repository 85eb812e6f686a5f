package memory

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-session/caddy-session/internal/longtest"
	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/storetest"
)

// clock is time that stands still until it is moved.
type clock struct{ passed atomic.Int64 }

func (c *clock) now() time.Time          { return time.Unix(1e9, 0).Add(time.Duration(c.passed.Load())) }
func (c *clock) advance(d time.Duration) { c.passed.Add(int64(d)) }

func open(t testing.TB, o Options) *Store {
	s := New(o)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func create(t testing.TB, s *Store, key string, size int) {
	t.Helper()
	if _, err := s.CompareAndSet(t.Context(), key, nil, make([]byte, size), time.Hour); err != nil {
		t.Fatal(err)
	}
}

// peek reports whether there is a session, without using it.
func (s *Store) peek(key string) bool {
	sh := s.shard(key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return sh.items[key] != nil
}

// shared is a store that two sites of a server share.
type shared struct{ sessionstore.Store }

func (shared) Close() error { return nil }

func TestStore(t *testing.T) {
	var c clock
	storetest.Run(t, storetest.Harness{
		New:     func(t *testing.T) sessionstore.Store { return New(Options{Now: c.now}) },
		Second:  func(t *testing.T, s sessionstore.Store) sessionstore.Store { return shared{s} },
		Advance: c.advance,
	})
}

func TestStoreWhileSweeping(t *testing.T) {
	longtest.Test(t)
	storetest.Run(t, storetest.Harness{
		New:  func(t *testing.T) sessionstore.Store { return New(Options{SweepInterval: 2 * time.Millisecond}) },
		Tick: 30 * time.Millisecond,
	})
}

func TestLeastRecentlyUsedIsEvicted(t *testing.T) {
	for limit := 1; limit <= 10; limit++ {
		var evicted atomic.Int32
		var c clock // stands still: the order of use must do
		s := open(t, Options{MaxSessions: limit, OnEvict: func() { evicted.Add(1) }, Now: c.now})
		key := func(i int) string { return fmt.Sprint("key", i) }
		for i := range limit {
			create(t, s, key(i), 10)
		}
		// From here on, the oldest is the one that was not used in this turn.
		for turn := range 3 * limit {
			spared := turn % limit
			for i := range limit {
				if i != spared {
					if e, _ := s.Get(t.Context(), key(i)); !e.Found() {
						t.Fatalf("limit %d, turn %d: %d is gone", limit, turn, i)
					}
				}
			}
			create(t, s, "new", 10)
			if s.peek(key(spared)) || !s.peek("new") || int(s.sessions.Load()) != limit {
				t.Fatalf("limit %d, turn %d: the wrong one was evicted", limit, turn)
			}
			if _, err := s.CompareAndDelete(t.Context(), "new", make([]byte, 10)); err != nil {
				t.Fatal(err)
			}
			create(t, s, key(spared), 10)
		}
		if n := evicted.Load(); int(n) != 3*limit {
			t.Errorf("limit %d: evictions reported %d, want %d", limit, n, 3*limit)
		}
	}
}

func TestEveryUseCounts(t *testing.T) {
	value := make([]byte, 10)
	for name, use := range map[string]func(s *Store){
		"get":      func(s *Store) { _, _ = s.Get(t.Context(), "old") },
		"touch":    func(s *Store) { _ = s.Touch(t.Context(), "old", value, time.Hour) },
		"save":     func(s *Store) { _, _ = s.CompareAndSet(t.Context(), "old", value, []byte("new"), time.Hour) },
		"again":    func(s *Store) { _, _ = s.CompareAndSet(t.Context(), "old", nil, value, time.Hour) },
		"conflict": func(s *Store) { _, _ = s.CompareAndSet(t.Context(), "old", nil, []byte("x"), time.Hour) },
	} {
		s := open(t, Options{MaxSessions: 2})
		create(t, s, "old", 10)
		create(t, s, "young", 10)
		use(s)
		create(t, s, "new", 10)
		if !s.peek("old") || s.peek("young") {
			t.Errorf("%s does not count as use", name)
		}
	}
}

func TestBytesAreBounded(t *testing.T) {
	limit := 3 * cost("a", make([]byte, 1000))
	s := open(t, Options{MaxBytes: limit})
	for _, key := range []string{"a", "b", "c"} {
		create(t, s, key, 1000)
	}
	if s.bytes.Load() != limit || int(s.sessions.Load()) != 3 {
		t.Fatalf("%d bytes in %d sessions", s.bytes.Load(), int(s.sessions.Load()))
	}
	create(t, s, "d", 1)
	if s.peek("a") || int(s.sessions.Load()) != 3 {
		t.Error("one byte beyond the limit evicts the oldest")
	}
	// A record that grows evicts others, never itself.
	if _, err := s.CompareAndSet(t.Context(), "b", make([]byte, 1000), make([]byte, 2900), time.Hour); err != nil {
		t.Fatal(err)
	}
	if !s.peek("b") || s.peek("c") || s.bytes.Load() > limit {
		t.Errorf("%d bytes", s.bytes.Load())
	}
	if _, err := s.CompareAndSet(t.Context(), "b", make([]byte, 2900), make([]byte, limit-1-overhead), time.Hour); err != nil {
		t.Errorf("a record of just the limit: %v", err)
	}
	_, err := s.CompareAndSet(t.Context(), "e", nil, make([]byte, limit-overhead), time.Hour)
	if !errors.Is(err, sessionstore.ErrUnavailable) || !s.peek("b") {
		t.Errorf("a record beyond the limit: %v", err)
	}
}

func TestSetLimits(t *testing.T) {
	s := open(t, Options{})
	for i := range 1000 {
		create(t, s, fmt.Sprint("key", i), 100)
	}
	s.SetLimits(10, 0)
	if int(s.sessions.Load()) != 10 || !s.peek("key999") || !s.peek("key990") || s.peek("key989") {
		t.Errorf("%d sessions are left", int(s.sessions.Load()))
	}
	s.SetLimits(0, 5*cost("key999", make([]byte, 100)))
	if int(s.sessions.Load()) != 5 {
		t.Errorf("%d sessions are left", int(s.sessions.Load()))
	}
	s.SetLimits(0, 0)
	for i := range 100 {
		create(t, s, fmt.Sprint("more", i), 100)
	}
	if int(s.sessions.Load()) != 105 {
		t.Errorf("%d sessions, want no limit in the way", int(s.sessions.Load()))
	}
}

// TestBoundsHoldUnderLoad watches the limits while many goroutines write.
func TestBoundsHoldUnderLoad(t *testing.T) {
	const sessions, bytes = 50, 50 * 400
	var s *Store
	s = open(t, Options{MaxSessions: sessions, MaxBytes: bytes, OnEvict: func() { _ = s.sessions.Load() }, SweepInterval: time.Millisecond})
	stop := make(chan struct{})
	var all, watch sync.WaitGroup
	watch.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if n, b := int(s.sessions.Load()), s.bytes.Load(); n < 0 || n > sessions || b < 0 || b > bytes {
				t.Errorf("%d sessions, %d bytes", n, b)
				return
			}
		}
	})
	for g := range 8 {
		all.Go(func() {
			for i := range 2000 {
				key := fmt.Sprint(g, i%100)
				value := make([]byte, (i*37)%500)
				e, _ := s.Get(t.Context(), key)
				_, err := s.CompareAndSet(t.Context(), key, e.Value, value, time.Duration(i%3)*time.Millisecond+time.Microsecond)
				if err != nil && !errors.Is(err, sessionstore.ErrConflict) {
					t.Error(err)
				}
				if i%5 == 0 {
					_, _ = s.CompareAndDelete(t.Context(), key, value)
				}
				if i%100 == 0 {
					s.SetLimits(sessions-i%7, bytes)
				}
			}
		})
	}
	all.Wait()
	close(stop)
	watch.Wait()
	_ = s.Close()
	s.check(t)
}

// check compares the counts, the rings and the maps.
func (s *Store) check(t *testing.T) {
	t.Helper()
	var sessions, bytes int64
	for i := range s.shards {
		sh := &s.shards[i]
		n := 0
		for i := range sh.rings {
			r := &sh.rings[i]
			used := uint64(idle)
			for it := r.root.next; it != &r.root; it = it.next {
				if sh.items[it.key] != it || it.next.prev != it || it.used >= used || it.ring != r || sh.ringFor(it.value) != r {
					t.Error("the ring is broken")
				}
				used = it.used
				n++
				bytes += cost(it.key, it.value)
			}
			if r.oldest.Load() != used {
				t.Error("the oldest of the ring is another")
			}
		}
		if n != len(sh.items) {
			t.Error("the rings and the map differ")
		}
		sessions += int64(n)
	}
	if sessions != s.sessions.Load() || bytes != s.bytes.Load() {
		t.Errorf("counted %d sessions and %d bytes, there are %d and %d", s.sessions.Load(), s.bytes.Load(), sessions, bytes)
	}
}

func TestExpiredSessionsAreSwept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{OnEvict: func() { t.Error("expiry is no eviction") }})
		for i := range 100_000 {
			ttl := time.Hour
			if i%20 != 0 {
				ttl = time.Minute
			}
			if _, err := s.CompareAndSet(t.Context(), fmt.Sprint(i), nil, nil, ttl); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(30 * time.Second)
		if int(s.sessions.Load()) != 100_000 {
			t.Errorf("%d sessions before they expire", int(s.sessions.Load()))
		}
		time.Sleep(91 * time.Second)
		synctest.Wait()
		if int(s.sessions.Load()) != 5_000 {
			t.Errorf("%d sessions are left", int(s.sessions.Load()))
		}
		_ = s.Close()
		s.check(t)
		for i := range s.shards {
			if sh := &s.shards[i]; sh.most > 1562/2 {
				t.Fatalf("the map of shard %d has had %d items and has not shrunk", i, sh.most)
			}
		}
	})
}

func TestSpareBufferIsNotKept(t *testing.T) {
	s := open(t, Options{})
	large := make([]byte, 1<<20)
	if _, err := s.CompareAndSet(t.Context(), "key", nil, large[:10], time.Hour); err != nil {
		t.Fatal(err)
	}
	if e, _ := s.Get(t.Context(), "key"); cap(e.Value) > 100 {
		t.Errorf("10 bytes keep %d", cap(e.Value))
	}
}

func TestEndlessTimeToLive(t *testing.T) {
	var c clock
	s := open(t, Options{Now: c.now})
	c.advance(time.Hour)
	if _, err := s.CompareAndSet(t.Context(), "key", nil, []byte("one"), 1<<63-1); err != nil {
		t.Fatal(err)
	}
	if e, _ := s.Get(t.Context(), "key"); e.TTL <= 0 {
		t.Errorf("got %v", e)
	}
}

func TestCloseTwice(t *testing.T) {
	s := New(Options{})
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Error(err)
	}
}

func TestGetAllocatesNothing(t *testing.T) {
	s := open(t, Options{})
	create(t, s, "key", 500)
	ctx := context.Background()
	if n := testing.AllocsPerRun(1000, func() { _, _ = s.Get(ctx, "key") }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
