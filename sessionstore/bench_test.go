package sessionstore_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/bolt"
	"github.com/caddy-session/caddy-session/sessionstore/memory"
)

// typical is what a session of an app with a login holds: some 500 bytes.
var typical = `{"user":{"id":4711,"name":"Ada","roles":["editor","admin"]},"csrf":"` + strings.Repeat("c", 64) +
	`","cart":[` + strings.Repeat(`{"sku":"A-1234","n":2},`, 14) + `{"sku":"B-1","n":1}],"visits":17}`

// bare is a manager on a store in memory without anything in between, and a session.
func bare(tb testing.TB) (m *sessionstore.Manager, id string) {
	store := memory.New(memory.Options{})
	tb.Cleanup(func() { _ = store.Close() })
	m = sessionstore.NewManager(store, sessionstore.Options{})
	out, err := m.Commit(context.Background(), &sessionstore.Session{Scope: here}, change(update(typical), flash(`"hello"`)))
	if err != nil {
		tb.Fatal(err)
	}
	return m, out.ID
}

func BenchmarkLoad(b *testing.B) {
	m, id := bare(b)
	b.ReportAllocs()
	for b.Loop() {
		if s, err := m.Load(context.Background(), id, here); err != nil || !s.Exists() {
			b.Fatal(err)
		}
	}
}

// BenchmarkLoadUnderRequest has a context that can be cancelled, as a request's can.
func BenchmarkLoadUnderRequest(b *testing.B) {
	m, id := bare(b)
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	b.ReportAllocs()
	for b.Loop() {
		if s, err := m.Load(ctx, id, here); err != nil || !s.Exists() {
			b.Fatal(err)
		}
	}
}

func BenchmarkLoadParallel(b *testing.B) {
	m, id := bare(b)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			_, _ = m.Load(context.Background(), id, here)
		}
	})
}

func BenchmarkLoadNothing(b *testing.B) {
	m, _ := bare(b)
	id := sessionstore.NewID()
	b.ReportAllocs()
	for b.Loop() {
		_, _ = m.Load(context.Background(), id, here)
	}
}

func BenchmarkCommit(b *testing.B) {
	changes := []*sessionstore.Change{change(update(`{"visits":18}`)), change(update(`{"visits":19}`))}
	for name, alone := range map[string]bool{"load and merge": true, "merge that conflicts": false} {
		b.Run(name, func(b *testing.B) {
			m, id := bare(b)
			s, _ := m.Load(context.Background(), id, here)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if alone {
					s, _ = m.Load(context.Background(), id, here)
				}
				if out, err := m.Commit(context.Background(), s, changes[i%2]); err != nil || out.Result != sessionstore.Saved {
					b.Fatal(out, err)
				}
			}
		})
	}
}

// BenchmarkCommitParallel has many requests of one session at once.
func BenchmarkCommitParallel(b *testing.B) {
	m, id := bare(b)
	count := change(update(`[{"op":"increment","path":"/visits","value":1}]`))
	b.SetParallelism(50)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			s, _ := m.Load(context.Background(), id, here)
			if _, err := m.Commit(context.Background(), s, count); err != nil {
				b.Error(err)
			}
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	rec := sessionstore.Record{Created: time.Now(), Idle: time.Hour, Scope: here.String(), Data: []byte(typical)}
	b.ReportAllocs()
	for b.Loop() {
		_, _ = sessionstore.Native{}.Encode(&rec)
	}
}

func BenchmarkDecode(b *testing.B) {
	rec := sessionstore.Record{Created: time.Now(), Idle: time.Hour, Scope: here.String(), Data: []byte(typical)}
	value, _ := sessionstore.Native{}.Encode(&rec)
	b.ReportAllocs()
	for b.Loop() {
		if err := (sessionstore.Native{}).Decode(value, &rec); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkTouch is what a touch costs, and what it costs to find that another request has just
// made it.
func BenchmarkTouch(b *testing.B) {
	for name, open := range map[string]func() sessionstore.Store{
		"memory": func() sessionstore.Store { return memory.New(memory.Options{}) },
		"bolt": func() sessionstore.Store {
			return bolt.Open(bolt.Options{Path: filepath.Join(b.TempDir(), "sessions.db")})
		},
	} {
		for when, step := range map[string]time.Duration{"due": time.Hour, "made": 0} {
			b.Run(name+"/"+when, func(b *testing.B) {
				store := open()
				defer store.Close()
				now := time.Now()
				m := sessionstore.NewManager(store, sessionstore.Options{
					TouchInterval: time.Minute, AbsoluteTimeout: 1e6 * time.Hour, Now: func() time.Time { return now },
				})
				out, err := m.Commit(b.Context(), &sessionstore.Session{Scope: here}, change(update(typical)))
				if err != nil {
					b.Fatal(err)
				}
				s, err := m.Load(b.Context(), out.ID, here)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportAllocs()
				for b.Loop() {
					now = now.Add(step)
					if err := m.Touch(b.Context(), s); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
