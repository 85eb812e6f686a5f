package suite

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/sql"
)

// Benchmark measures reads and writes of records of 600 bytes.
func Benchmark(b *testing.B, d *sql.Driver, dsn string) {
	s, err := sql.Open(d, dsn, sql.Options{CreateTable: true, Timeout: 10 * time.Second})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	if _, err := s.CompareAndSet(b.Context(), "read", nil, record(), time.Hour); err != nil {
		b.Fatal(err)
	}
	b.Run("Get", func(b *testing.B) {
		for b.Loop() {
			get(b, s)
		}
	})
	b.Run("GetParallel", func(b *testing.B) {
		b.SetParallelism(8)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				get(b, s)
			}
		})
	})
	var last atomic.Int64
	b.Run("CompareAndSet", func(b *testing.B) {
		w := writer{s: s, key: fmt.Sprint("k", last.Add(1))}
		for b.Loop() {
			w.set(b)
		}
	})
	b.Run("CompareAndSetParallel", func(b *testing.B) {
		b.SetParallelism(8)
		b.RunParallel(func(pb *testing.PB) {
			w := writer{s: s, key: fmt.Sprint("k", last.Add(1))}
			for pb.Next() {
				w.set(b)
			}
		})
	})
}

func get(b *testing.B, s *sql.Store) {
	if e, err := s.Get(b.Context(), "read"); err != nil || !e.Found() {
		b.Fatal(e, err)
	}
}

type writer struct {
	s   *sql.Store
	key string
	old []byte
}

func (w *writer) set(b *testing.B) {
	value := record()
	if _, err := w.s.CompareAndSet(b.Context(), w.key, w.old, value, time.Hour); err != nil {
		b.Fatal(err)
	}
	w.old = value
}

func record() []byte {
	value := bytes.Repeat([]byte("x"), 600)
	value[0] = sessionstore.FormatNative
	_, _ = rand.Read(value[1:sessionstore.VersionLen])
	return value
}
