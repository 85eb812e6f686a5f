package redis_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/internal/longtest"
	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/redis"
	"github.com/caddy-session/caddy-session/test/redistest"
)

// The benchmarks use sessions of some 500 bytes, sequentially and by 64 goroutines.

func BenchmarkGet(b *testing.B) {
	benchmark(b, func(b *testing.B, s *store, next func() bool) {
		key := fmt.Sprint("k", last.Add(1))
		s.save(key, nil, record(500))
		for next() {
			if _, err := s.Get(b.Context(), key); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkCompareAndSet(b *testing.B) {
	benchmark(b, func(b *testing.B, s *store, next func() bool) {
		key := fmt.Sprint("k", last.Add(1))
		values := [2][]byte{record(500), record(500)}
		s.save(key, nil, values[0])
		for i := 0; next(); i++ {
			if _, err := s.CompareAndSet(b.Context(), key, values[i%2], values[(i+1)%2], time.Hour); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func benchmark(b *testing.B, f func(b *testing.B, s *store, next func() bool)) {
	server := redistest.Start(b, redistest.Options{})
	for _, name := range []string{"plain", "pipelining", "near cache"} {
		o := redis.Options{Addrs: []string{server.Addr()}, PoolSize: 64}
		variants[name](&o)
		b.Run(name+"/alone", func(b *testing.B) {
			b.ReportAllocs()
			f(b, open(b, o), b.Loop)
		})
		b.Run(name+"/crowd", func(b *testing.B) {
			s := open(b, o)
			b.ReportAllocs()
			b.SetParallelism(32)
			b.RunParallel(func(pb *testing.PB) { f(b, s, pb.Next) })
		})
	}
}

// TestMemory measures the memory of a session of 500 bytes in Redis, for the documentation. -v
// shows the result.
func TestMemory(t *testing.T) {
	longtest.Test(t)
	t.Parallel()
	server := redistest.Start(t, redistest.Options{})
	s := open(t, redis.Options{Addrs: []string{server.Addr()}, KeyPrefix: "session:", Pipelining: true})
	m := sessionstore.NewManager(s.Store, sessionstore.Options{})
	data := `{"user":{"id":4711,"name":"Ada"},"csrf":"` + fmt.Sprintf("%0449d", 1) + `","visits":1}`
	edit, err := sessionstore.ParseEdit(data)
	if err != nil || len(data) < 495 || len(data) > 505 {
		t.Fatalf("%d bytes: %v", len(data), err)
	}
	used := func() int64 {
		var n int64
		info, _ := do(t, server, "INFO", "memory").(string)
		for line := range strings.Lines(info) {
			_, _ = fmt.Sscanf(line, "used_memory:%d", &n)
		}
		return n
	}
	empty := used()
	// the average case: the tables of keys and expiry times have not just doubled
	const sessions = 4096
	scope := sessionstore.Scope{Site: " ", Host: "example.org"}
	var key string
	for range sessions {
		out, err := m.Commit(t.Context(), &sessionstore.Session{Scope: scope}, &sessionstore.Change{Edits: []sessionstore.Edit{edit}})
		if err != nil {
			t.Fatal(err)
		}
		key = s.prefixed(sessionstore.Native{}.Key(out.ID, out.Ref))
	}
	one, _ := do(t, server, "MEMORY", "USAGE", key).(int64)
	length, _ := do(t, server, "STRLEN", key).(int64)
	all := (used() - empty) / sessions
	t.Logf("a session of %d bytes: a record of %d, a key of %d; MEMORY USAGE %d bytes; with its share of the tables %d bytes", len(data), length, len(key), one, all)
	if one > 1000 || all > 1300 {
		t.Errorf("it takes %d bytes, %d with its share", one, all)
	}
}
