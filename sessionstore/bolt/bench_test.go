package bolt

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	bbolt "go.etcd.io/bbolt"
)

// newKey returns a key as the manager makes them: a prefix and 43 characters.
func newKey() string {
	var id [32]byte
	_, _ = rand.Read(id[:])
	return "session:" + base64.RawURLEncoding.EncodeToString(id[:])
}

// fill writes n sessions of 500 bytes without the store, and does not wait for the disk.
func fill(tb testing.TB, s *Store, n int) []string {
	tb.Helper()
	list := make([]string, n)
	for i := range list {
		list[i] = newKey()
	}
	slices.Sort(list) // much faster to write
	f, err := s.file(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	f.db.NoSync = true
	defer func() { f.db.NoSync = false }()
	until := deadline(s.now(), time.Hour)
	for i := 0; i < n; {
		err := f.update(func(b *bbolt.Bucket) (changed []string, err error) {
			for end := min(n, i+5000); i < end; i++ {
				_, record := appendRecord(nil, until, make([]byte, 500))
				if err := b.Put([]byte(list[i]), record); err != nil {
					return nil, err
				}
				changed = append(changed, list[i])
			}
			return changed, nil
		})
		if err != nil {
			tb.Fatal(err)
		}
	}
	if err := f.db.Sync(); err != nil {
		tb.Fatal(err)
	}
	return list
}

// BenchmarkGet compares a read from the cache with one from the memory map. [cache] has the
// numbers.
func BenchmarkGet(b *testing.B) {
	const n = 1000
	s := openTemp(b, Options{})
	list := fill(b, s, n)
	f, err := s.file(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	for name, get := range map[string]func(key string) error{
		"cache": func(key string) error { _, err := s.Get(b.Context(), key); return err },
		"map":   func(key string) error { _, err := f.read(key, s.now()); return err },
	} {
		b.Run(name, func(b *testing.B) {
			for _, key := range list {
				if err := get(key); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportAllocs()
			b.ResetTimer()
			cpu := processorTime()
			for i := range b.N {
				_ = get(list[i*7919%n])
			}
			b.ReportMetric(float64(processorTime()-cpu)/float64(b.N), "cpu-ns/op")
		})
	}
}

// BenchmarkCompareAndSet reports the processor time that a change on disk takes.
func BenchmarkCompareAndSet(b *testing.B) {
	for _, n := range []int{1000, 100_000} {
		for _, writers := range []int{1, 8, 64} {
			b.Run(fmt.Sprintf("%d/%d", n, writers), func(b *testing.B) {
				s := openTemp(b, Options{})
				list := fill(b, s, n)
				benchWriters(b, writers, func(i int) error {
					value := make([]byte, 500)
					value[0], value[1], value[2] = byte(i), byte(i>>8), byte(i>>16)
					key := list[(i*7919)%n]
					e, err := s.Get(b.Context(), key)
					if err == nil {
						_, err = s.CompareAndSet(b.Context(), key, e.Value, value, time.Hour)
					}
					return err
				})
			})
		}
	}
}

// BenchmarkBatch measures bbolt's own grouping, for comparison.
func BenchmarkBatch(b *testing.B) {
	for _, n := range []int{1000, 100_000} {
		for _, writers := range []int{1, 8, 64} {
			b.Run(fmt.Sprintf("%d/%d", n, writers), func(b *testing.B) {
				s := openTemp(b, Options{})
				list := fill(b, s, n)
				f, _ := s.file(b.Context())
				f.db.MaxBatchDelay = time.Millisecond
				benchWriters(b, writers, func(i int) error {
					key := list[(i*7919)%n]
					if _, err := s.Get(b.Context(), key); err != nil {
						return err
					}
					return f.db.Batch(func(tx *bbolt.Tx) error {
						bucket := tx.Bucket(sessionsBucket)
						bucket.Get([]byte(key))
						return bucket.Put([]byte(key), make([]byte, 508))
					})
				})
			})
		}
	}
}

func benchWriters(b *testing.B, writers int, write func(i int) error) {
	b.ReportAllocs()
	b.ResetTimer()
	var all sync.WaitGroup
	var turn atomic.Int64
	cpu := processorTime()
	for range writers {
		all.Go(func() {
			for i := int(turn.Add(1)); i <= b.N; i = int(turn.Add(1)) {
				if err := write(i); err != nil {
					b.Error(err)
				}
			}
		})
	}
	all.Wait()
	b.ReportMetric(float64(processorTime()-cpu)/float64(b.N), "cpu-ns/op")
}
