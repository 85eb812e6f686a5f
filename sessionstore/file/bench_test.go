package file

import (
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func BenchmarkGet(b *testing.B) {
	s := openTemp(b, Options{})
	for i := range 1000 {
		save(b, s, fmt.Sprint("key", i), nil, make([]byte, 500), time.Hour)
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
	for _, writers := range []int{1, 8, 64} {
		b.Run(fmt.Sprint(writers), func(b *testing.B) {
			s := openTemp(b, Options{})
			var turn atomic.Int64
			var all sync.WaitGroup
			b.ReportAllocs()
			b.ResetTimer()
			for w := range writers {
				all.Go(func() {
					var old []byte
					for n := turn.Add(1); n <= int64(b.N); n = turn.Add(1) {
						value := make([]byte, 500)
						binary.BigEndian.PutUint64(value, uint64(n))
						if _, err := s.CompareAndSet(b.Context(), fmt.Sprint("key", w), old, value, time.Hour); err != nil {
							b.Error(err)
						}
						old = value
					}
				})
			}
			all.Wait()
		})
	}
}
