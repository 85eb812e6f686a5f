package memory

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"sync/atomic"
	"testing"
	"time"
)

// newKey returns a key as the manager makes them: a prefix and 43 characters.
func newKey() string {
	var id [32]byte
	_, _ = rand.Read(id[:])
	return "session:" + base64.RawURLEncoding.EncodeToString(id[:])
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
