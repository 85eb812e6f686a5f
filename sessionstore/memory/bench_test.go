package memory

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/internal/longtest"
)

// newKey returns a key as the manager makes them: a prefix and 43 characters.
func newKey() string {
	var id [32]byte
	_, _ = rand.Read(id[:])
	return "session:" + base64.RawURLEncoding.EncodeToString(id[:])
}

// TestOverhead holds a million sessions of 500 bytes (in a plain run: 100,000) and
// compares what the heap has grown by with what the store says.
func TestOverhead(t *testing.T) {
	n := 1_000_000
	if !longtest.All() || raceEnabled {
		n = 100_000
	}
	heap := func() int64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	s := open(t, Options{MaxBytes: 1 << 40})
	var payload int64
	for range n {
		key, value := newKey(), make([]byte, 500)
		payload += int64(len(key) + len(value))
		if _, err := s.CompareAndSet(t.Context(), key, nil, value, time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	grown := heap() - before
	each := (grown - payload) / int64(n)
	t.Logf("%d sessions: %d bytes each beyond key and record, counted as %d", n, each, overhead)
	if each > 400 {
		t.Errorf("%d bytes of overhead", each)
	}
	if raceEnabled {
		return // the race detector's own memory is in the way
	}
	if counted := s.bytes.Load(); counted < grown*9/10 || counted > grown*12/10 {
		t.Errorf("counted %d bytes, the heap has grown by %d", counted, grown)
	}
	runtime.KeepAlive(s)
}

func bench(b *testing.B, n int) (*Store, []string) {
	s := open(b, Options{MaxBytes: 1 << 40})
	list := make([]string, n)
	for i := range list {
		list[i] = newKey()
		create(b, s, list[i], 500)
	}
	b.ReportAllocs()
	b.ResetTimer()
	return s, list
}

func BenchmarkGet(b *testing.B) {
	for _, n := range []int{1000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s, list := bench(b, n)
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); i += 7919 {
					_, _ = s.Get(b.Context(), list[i%n])
				}
			})
		})
	}
}

func BenchmarkCompareAndSet(b *testing.B) {
	s, list := bench(b, 1000)
	var turn atomic.Int64
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			key := list[turn.Add(1)%1000]
			e, _ := s.Get(b.Context(), key)
			_, _ = s.CompareAndSet(b.Context(), key, e.Value, make([]byte, 500), time.Hour)
		}
	})
}

// BenchmarkCreateWhenFull has every new session evict another.
func BenchmarkCreateWhenFull(b *testing.B) {
	s, _ := bench(b, 1000)
	s.SetLimits(1000, 0)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			_, _ = s.CompareAndSet(b.Context(), newKey(), nil, make([]byte, 500), time.Hour)
		}
	})
}
