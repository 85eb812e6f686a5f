package bolt

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/internal/pace"
	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/storetest"
)

// TestMain also runs the child processes of these tests.
func TestMain(m *testing.M) {
	switch os.Getenv("CADDY_SESSION_CHILD") {
	case "hold":
		hold(os.Getenv("CADDY_SESSION_FILE"))
	case "write":
		writeUntilKilled(os.Getenv("CADDY_SESSION_FILE"))
	case "login":
		logInUntilKilled(os.Getenv("CADDY_SESSION_FILE"))
	default:
		os.Exit(m.Run())
	}
}

// clock is time that stands still until it is moved.
type clock struct{ passed atomic.Int64 }

func (c *clock) now() time.Time          { return time.Unix(1e9, 0).Add(time.Duration(c.passed.Load())) }
func (c *clock) advance(d time.Duration) { c.passed.Add(int64(d)) }

func TestStore(t *testing.T) {
	for name, wrap := range map[string]func(*Store) sessionstore.Store{
		"cached": func(s *Store) sessionstore.Store { return s },
		"read":   func(s *Store) sessionstore.Store { return uncached{s} },
	} {
		t.Run(name, func(t *testing.T) {
			var c clock
			var path string
			storetest.Run(t, storetest.Harness{
				New: func(t *testing.T) sessionstore.Store {
					path = filepath.Join(t.TempDir(), "sessions.db")
					return wrap(Open(Options{Path: path, Now: c.now, OnError: func(err error) { t.Error(err) }}))
				},
				Reopen: func(*testing.T, sessionstore.Store) sessionstore.Store {
					return wrap(Open(Options{Path: path, Now: c.now}))
				},
				Advance: c.advance,
			})
		})
	}
}

// uncached is a store that reads everything from the file.
type uncached struct{ *Store }

func (u uncached) Get(ctx context.Context, key string) (sessionstore.Entry, error) {
	if f, err := u.file(ctx); err == nil {
		f.cache.drop(key)
	}
	return u.Store.Get(ctx, key)
}

func (c *cache) drop(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.delete(key)
}

// openTemp opens a store, in a temporary folder if o has no path, and closes it at the end.
func openTemp(tb testing.TB, o Options) *Store {
	tb.Helper()
	if o.Path == "" {
		o.Path = filepath.Join(tb.TempDir(), "sessions.db")
	}
	s := Open(o)
	tb.Cleanup(func() { _ = s.Close() })
	return s
}

func closeStore(tb testing.TB, s *Store) {
	tb.Helper()
	if err := s.Close(); err != nil {
		tb.Fatal(err)
	}
}

func save(tb testing.TB, s *Store, key string, old, value []byte) {
	tb.Helper()
	if _, err := s.CompareAndSet(tb.Context(), key, old, value, time.Hour); err != nil {
		tb.Fatal(err)
	}
}

// want checks the record of a key, in the cache and in the file.
func want(tb testing.TB, s *Store, key string, value []byte) {
	tb.Helper()
	for _, from := range []sessionstore.Store{s, uncached{s}} {
		e, err := from.Get(tb.Context(), key)
		if err != nil {
			tb.Fatal(err)
		}
		if !bytes.Equal(e.Value, value) || e.Found() != (value != nil) {
			tb.Fatalf("there is %.40q, want %.40q", e.Value, value)
		}
	}
}

// eventually waits until ok returns true.
func eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			tb.Fatalf("not in 20 seconds: %s", what)
		}
	}
}

// fails checks that all operations fail at once, with cause.
func fails(tb testing.TB, s *Store, cause error) {
	tb.Helper()
	ctx := tb.Context()
	for name, call := range map[string]func() error{
		"get":    func() error { _, err := s.Get(ctx, "key"); return err },
		"save":   func() error { _, err := s.CompareAndSet(ctx, "key", nil, []byte("x"), time.Hour); return err },
		"delete": func() error { _, err := s.CompareAndDelete(ctx, "key", []byte("x")); return err },
		"touch":  func() error { return s.Touch(ctx, "key", []byte("x"), time.Hour) },
	} {
		start := pace.Ran()
		err := call()
		if !errors.Is(err, sessionstore.ErrUnavailable) || !errors.Is(err, cause) || !bytes.Contains([]byte(err.Error()), []byte(s.o.Path)) {
			tb.Errorf("%s: got %v, want %v of %s", name, err, cause, s.o.Path)
		}
		if d := pace.Ran() - start; d > time.Second {
			tb.Errorf("%s: took %v", name, d)
		}
	}
}

func TestAfterClosing(t *testing.T) {
	s := openTemp(t, Options{})
	save(t, s, "key", nil, []byte("one"))
	closeStore(t, s)
	closeStore(t, s)
	fails(t, s, errClosed)

	unused := openTemp(t, Options{})
	closeStore(t, unused)
	fails(t, unused, errClosed)
	if _, err := os.Stat(unused.o.Path); err == nil {
		t.Error("an unused store has created a file")
	}
}

// TestCloseUnderLoad closes a store in use, which the contract forbids. Nothing may break.
func TestCloseUnderLoad(t *testing.T) {
	for range 10 {
		s := openTemp(t, Options{sweepInterval: time.Microsecond})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{}, 8)
		for i := range cap(done) {
			go func() {
				defer func() { done <- struct{}{} }()
				key := string(rune('a' + i))
				for ctx.Err() == nil {
					e, err := s.Get(ctx, key)
					if err == nil {
						_, err = s.CompareAndSet(ctx, key, e.Value, []byte(newKey()), time.Hour)
					}
					if err == nil {
						err = s.Touch(ctx, key, e.Value, time.Hour)
					}
					if err != nil && !errors.Is(err, sessionstore.ErrUnavailable) {
						t.Error(err)
					}
				}
			}()
		}
		time.Sleep(5 * time.Millisecond)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		cancel()
		for range cap(done) {
			<-done
		}
		if held(s.o.Path) {
			t.Fatal("the file is still held")
		}
	}
}
