package file

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/storetest"
)

// TestMain also runs the child processes of these tests.
func TestMain(m *testing.M) {
	switch dir := os.Getenv("CADDY_SESSION_DIR"); os.Getenv("CADDY_SESSION_CHILD") {
	case "write":
		writeUntilKilled(dir)
	case "count":
		count(dir)
	case "full":
		fillUp(dir)
	default:
		os.Exit(m.Run())
	}
}

// clock is time that stands still until it is moved.
type clock struct{ passed atomic.Int64 }

func (c *clock) now() time.Time          { return time.Unix(1e9, 0).Add(time.Duration(c.passed.Load())) }
func (c *clock) advance(d time.Duration) { c.passed.Add(int64(d)) }

func TestStore(t *testing.T) {
	var c clock
	open := func(t *testing.T, dir string) sessionstore.Store {
		return Open(Options{Dir: dir, Now: c.now, sweepInterval: time.Millisecond, OnError: func(err error) { t.Error(err) }})
	}
	storetest.Run(t, storetest.Harness{
		New:     func(t *testing.T) sessionstore.Store { return open(t, filepath.Join(t.TempDir(), "new", "sessions")) },
		Second:  func(t *testing.T, s sessionstore.Store) sessionstore.Store { return open(t, s.(*Store).o.Dir) },
		Reopen:  func(t *testing.T, s sessionstore.Store) sessionstore.Store { return open(t, s.(*Store).o.Dir) },
		Advance: c.advance,
	})
}

// openTemp opens a store, in a temporary folder if o has none, and closes it at the end.
func openTemp(tb testing.TB, o Options) *Store {
	tb.Helper()
	if o.Dir == "" {
		o.Dir = filepath.Join(tb.TempDir(), "sessions")
	}
	s := Open(o)
	tb.Cleanup(func() { _ = s.Close() })
	return s
}

func save(tb testing.TB, s *Store, key string, old, value []byte, ttl time.Duration) {
	tb.Helper()
	if _, err := s.CompareAndSet(tb.Context(), key, old, value, ttl); err != nil {
		tb.Fatal(err)
	}
}

func want(tb testing.TB, s *Store, key string, value []byte) {
	tb.Helper()
	e, err := s.Get(tb.Context(), key)
	if err != nil {
		tb.Fatal(err)
	}
	if !bytes.Equal(e.Value, value) || e.Found() != (value != nil) {
		tb.Fatalf("there is %.40q, want %.40q", e.Value, value)
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

// names returns the names of the files in the folder.
func names(tb testing.TB, dir string) []string {
	tb.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		tb.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

// TestLargeFile checks that a file larger than any session is not read.
func TestLargeFile(t *testing.T) {
	s := openTemp(t, Options{})
	save(t, s, "key", nil, []byte("one"), time.Hour)
	if err := os.Truncate(s.path("key"), 50<<20); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err1 := s.Get(t.Context(), "key")
	_, err2 := s.CompareAndSet(t.Context(), "key", []byte("one"), []byte("two"), time.Hour)
	_, err3 := s.CompareAndDelete(t.Context(), "key", []byte("one"))
	for i, err := range []error{err1, err2, err3} {
		if !errors.Is(err, sessionstore.ErrRecord) {
			t.Errorf("operation %d: %v", i+1, err)
		}
	}
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 20*sessionstore.MaxValue {
		t.Errorf("%d bytes were allocated", grown)
	}
	if info, err := os.Stat(s.path("key")); err != nil || info.Size() != 50<<20 {
		t.Errorf("it was changed: %v, %v", info, err)
	}
}
