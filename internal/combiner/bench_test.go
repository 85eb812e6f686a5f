package combiner

import (
	"testing"
	"time"
)

func BenchmarkAlone(b *testing.B) {
	for name, mode := range modes {
		b.Run(name, func(b *testing.B) {
			c := mode(64, func([]int) {})
			b.ReportAllocs()
			for b.Loop() {
				_ = c.Do(b.Context(), 1)
			}
		})
	}
}

func BenchmarkCrowd(b *testing.B) {
	for name, mode := range modes {
		b.Run(name, func(b *testing.B) {
			c := mode(64, func([]int) { time.Sleep(100 * time.Microsecond) })
			b.ReportAllocs()
			b.SetParallelism(32)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					_ = c.Do(b.Context(), 1)
				}
			})
		})
	}
}
