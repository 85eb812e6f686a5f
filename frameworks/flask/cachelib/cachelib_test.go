package cachelib

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/internal/longtest"
	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/storetest"
)

// clock is a clock that moves only when told to.
type clock struct{ passed atomic.Int64 }

func (c *clock) now() time.Time          { return time.Unix(1.7e9, 0).Add(time.Duration(c.passed.Load())) }
func (c *clock) advance(d time.Duration) { c.passed.Add(int64(d)) }

// pickles is a store that makes the suite's values begin like pickles.
type pickles struct{ *Store }

// start is how a pickle from Python begins.
const start = "\x80\x05"

// most is the size of the largest value that the suite may save: it saves one of
// [sessionstore.MaxValue].
const most = sessionstore.MaxValue - len(start) - 1

func wrapped(value []byte) []byte {
	if value == nil {
		return nil
	}
	if len(value) > most {
		value = value[:most]
	}
	return append(append([]byte(start), value...), '.')
}

func unwrapped(e sessionstore.Entry, whole []byte) sessionstore.Entry {
	if e.Found() {
		e.Value = e.Value[len(start) : len(e.Value)-1]
		if len(e.Value) == most {
			e.Value = append(bytes.Clone(e.Value), bytes.Repeat(whole, sessionstore.MaxValue)[most:sessionstore.MaxValue]...)
		}
	}
	return e
}

// every is the byte pattern of the suite's largest value.
var every = func() (b []byte) {
	for i := range 256 {
		b = append(b, byte(i))
	}
	return b
}()

func (p pickles) Get(ctx context.Context, key string) (sessionstore.Entry, error) {
	e, err := p.Store.Get(ctx, key)
	return unwrapped(e, every), err
}

func (p pickles) CompareAndSet(ctx context.Context, key string, old, value []byte, ttl time.Duration) (sessionstore.Entry, error) {
	e, err := p.Store.CompareAndSet(ctx, key, wrapped(old), wrapped(value), ttl)
	return unwrapped(e, every), err
}

func (p pickles) CompareAndDelete(ctx context.Context, key string, old []byte) (sessionstore.Entry, error) {
	e, err := p.Store.CompareAndDelete(ctx, key, wrapped(old))
	return unwrapped(e, every), err
}

func (p pickles) Touch(ctx context.Context, key string, old []byte, ttl time.Duration) error {
	return p.Store.Touch(ctx, key, wrapped(old), ttl)
}

// TestStore runs the store suite in folders of every version of cachelib.
func TestStore(t *testing.T) {
	for name, f := range map[string]struct {
		form  form
		named naming
	}{"0.16": {modern, bySHA256}, "0.7": {modern, byMD5}, "0.1": {pickled, byMD5}} {
		t.Run(name, func(t *testing.T) {
			if name != "0.16" {
				longtest.Test(t)
			}
			var c clock
			open := func(dir string) sessionstore.Store { return pickles{Open(Options{Dir: dir, Now: c.now})} }
			again := func(_ *testing.T, s sessionstore.Store) sessionstore.Store { return open(s.(pickles).o.Dir) }
			storetest.Run(t, storetest.Harness{
				New: func(t *testing.T) sessionstore.Store {
					dir := inMemory(t)
					writeCounter(t, dir, f.named, f.form, 0)
					return open(dir)
				},
				Second: again, Reopen: again, Advance: c.advance, Tick: time.Second,
			})
		})
	}
}

// inMemory returns a folder in memory if the system has one: syncing to disk is the slow part.
func inMemory(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "cachelib")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// writeCounter writes a counter as an app does when it starts.
func writeCounter(tb testing.TB, dir string, named naming, f form, n int64) {
	tb.Helper()
	s := Open(Options{Dir: dir})
	s.setCount(counter{n, f, s.path(named.of(countKey))})
}

func openTemp(tb testing.TB, o Options) *Store {
	tb.Helper()
	if o.Dir == "" {
		o.Dir = filepath.Join(tb.TempDir(), "flask_session")
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

func want(tb testing.TB, s *Store, key string, value []byte) sessionstore.Entry {
	tb.Helper()
	e, err := s.Get(tb.Context(), key)
	if err != nil {
		tb.Fatal(err)
	}
	if !bytes.Equal(e.Value, value) || e.Found() != (value != nil) {
		tb.Fatalf("got %.40q, want %.40q", e.Value, value)
	}
	return e
}

func pickle(i int) []byte { return fmt.Appendf(nil, "\x80\x05K%c.", i) }

const sid = "session:fe8977c2-34a9-4945-acc0-6c6821944b9f"

// TestForeign checks that files that cachelib did not write stay unchanged and cost no memory.
func TestForeign(t *testing.T) {
	s := openTemp(t, Options{Dir: t.TempDir()})
	path := s.path(sidName)
	for name, put := range map[string]func() error{
		"empty":       func() error { return os.WriteFile(path, nil, 0o600) },
		"short":       func() error { return os.WriteFile(path, []byte("\x80"), 0o600) },
		"text":        func() error { return os.WriteFile(path, []byte("this is not a session"), 0o600) },
		"no value":    func() error { return os.WriteFile(path, []byte("\xff\xff\xff\x7f"), 0o600) },
		"JSON inside": func() error { return os.WriteFile(path, []byte("\xff\xff\xff\x7f{\"a\":1}"), 0o600) },
		"ours":        func() error { return os.WriteFile(path, []byte("CSF\x01native and more of it"), 0o600) },
		"50 MB": func() error {
			return errors.Join(os.WriteFile(path, []byte("\xff\xff\xff\x7f\x80\x05"), 0o600), os.Truncate(path, 50<<20))
		},
		"one extra byte": func() error {
			return errors.Join(os.WriteFile(path, []byte("\xff\xff\xff\x7f\x80\x05"), 0o600), os.Truncate(path, 4+sessionstore.MaxValue+1))
		},
		"a folder": func() error { return os.Mkdir(path, 0o700) },
	} {
		t.Run(name, func(t *testing.T) {
			if err := put(); err != nil {
				t.Fatal(err)
			}
			before, err := os.Lstat(path)
			if err != nil {
				t.Fatal(err)
			}
			var mem, after runtime.MemStats
			runtime.ReadMemStats(&mem)
			_, err1 := s.Get(t.Context(), sid)
			_, err2 := s.CompareAndSet(t.Context(), sid, nil, pickle(1), time.Hour)
			_, err3 := s.CompareAndSet(t.Context(), sid, pickle(1), pickle(2), time.Hour)
			_, err4 := s.CompareAndDelete(t.Context(), sid, pickle(1))
			err5 := s.Touch(t.Context(), sid, pickle(1), time.Hour)
			for i, err := range []error{err1, err2, err3, err4, err5} {
				if name == "a folder" && i == 4 && err != nil {
					continue // it cannot be opened for writing
				}
				if !errors.Is(err, sessionstore.ErrRecord) || errors.Is(err, sessionstore.ErrConflict) || strings.Contains(err.Error(), "session:") {
					t.Errorf("operation %d: %v", i+1, err)
				}
			}
			runtime.ReadMemStats(&after)
			if grown := after.TotalAlloc - mem.TotalAlloc; grown > 10*sessionstore.MaxValue {
				t.Errorf("%d bytes were allocated", grown)
			}
			info, err := os.Lstat(path)
			if err != nil || !os.SameFile(info, before) || info.Size() != before.Size() || !info.ModTime().Equal(before.ModTime()) {
				t.Errorf("the file was changed: %v, %v", info, err)
			}
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		})
	}
	if err := os.WriteFile(path, append([]byte("\xff\xff\xff\x7f\x80\x05"), make([]byte, sessionstore.MaxValue-2)...), 0o600); err != nil {
		t.Fatal(err)
	}
	if e, err := s.Get(t.Context(), sid); err != nil || len(e.Value) != sessionstore.MaxValue {
		t.Errorf("the largest: %d bytes, %v", len(e.Value), err)
	}
	if _, err := s.CompareAndSet(t.Context(), "other", nil, []byte("no pickle"), time.Hour); !errors.Is(err, sessionstore.ErrUnavailable) {
		t.Errorf("a value that is not a pickle: %v", err)
	}
}

// TestFolder checks which files are left in the folder.
func TestFolder(t *testing.T) {
	s := openTemp(t, Options{FileMode: 0o660})
	for i := range 5 {
		save(t, s, fmt.Sprint("key", i), nil, pickle(1), time.Hour)
		save(t, s, fmt.Sprint("key", i), pickle(1), pickle(2), time.Hour)
	}
	if _, err := s.CompareAndDelete(t.Context(), "key0", pickle(2)); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(s.o.Dir)
	if err != nil {
		t.Fatal(err)
	}
	sessions := 0
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || info.Mode() != 0o660 {
			t.Errorf("%s: %v, %v", e.Name(), info.Mode(), err)
		}
		if e.Name() != lockName {
			sessions++
		}
	}
	if sessions != 4 {
		t.Errorf("the folder holds %v", entries)
	}
	if info, err := os.Stat(s.o.Dir); err != nil || info.Mode().Perm() != 0o770 {
		t.Errorf("the folder: %v, %v", info, err)
	}
}

// TestCounter checks that cachelib's counter is updated if there is one.
func TestCounter(t *testing.T) {
	for _, f := range []form{modern, pickled} {
		s := openTemp(t, Options{Dir: t.TempDir()})
		save(t, s, "before", nil, pickle(1), time.Hour)
		if _, ok := s.readCounter(); ok {
			t.Error("a counter was created")
		}
		writeCounter(t, s.o.Dir, byMD5, f, 1)
		for i := range 70000 / 350 {
			save(t, s, fmt.Sprint("key", i), nil, pickle(1), time.Hour)
		}
		save(t, s, "key1", pickle(1), pickle(2), time.Hour)
		if _, err := s.CompareAndDelete(t.Context(), "key0", pickle(1)); err != nil {
			t.Fatal(err)
		}
		if c, ok := s.readCounter(); c.n != 200 || c.form != f || !ok {
			t.Errorf("counted %d in form %v", c.n, c.form)
		}
	}
}

// TestThreshold deletes expired sessions first, then those that expire soonest, as cachelib does.
func TestThreshold(t *testing.T) {
	for _, counts := range []bool{true, false} {
		var c clock
		evicted := 0
		s := openTemp(t, Options{Dir: t.TempDir(), Now: c.now, Threshold: 10, OnEvict: func(n int) { evicted += n }})
		if counts {
			writeCounter(t, s.o.Dir, byMD5, modern, 0)
		}
		key := func(i int) string { return fmt.Sprint("key", i) }
		for i := range 11 {
			ttl := time.Hour + time.Duration(i)*time.Minute
			if i < 2 {
				ttl = time.Minute
			}
			save(t, s, key(i), nil, pickle(i), ttl)
		}
		if err := os.WriteFile(s.path("foreign"), []byte("not a session"), 0o600); err != nil {
			t.Fatal(err)
		}
		for i := range 11 {
			want(t, s, key(i), pickle(i))
		}
		c.advance(2 * time.Minute)
		save(t, s, key(11), nil, pickle(11), 2*time.Hour)
		if evicted != 0 {
			t.Errorf("%d were evicted", evicted)
		}
		for i := 12; i < 16; i++ {
			save(t, s, key(i), nil, pickle(i), 2*time.Hour)
		}
		if evicted == 0 || evicted > 5 {
			t.Errorf("%d were evicted", evicted)
		}
		for i := range 16 {
			e, err := s.Get(t.Context(), key(i))
			if err != nil || e.Found() != (i >= 2+evicted) {
				t.Errorf("%d of %d: %v, %v", i, evicted, e.Found(), err)
			}
		}
		if _, err := os.Stat(s.path("foreign")); err != nil {
			t.Error(err)
		}
		s.Set(0, 0)
		for i := 16; i < 40; i++ {
			save(t, s, key(i), nil, pickle(i), 2*time.Hour)
		}
		for i := 16; i < 40; i++ {
			want(t, s, key(i), pickle(i))
		}
	}
}

// TestWriters changes one session and creates others from 64 goroutines and two stores.
func TestWriters(t *testing.T) {
	dir := t.TempDir()
	writeCounter(t, dir, byMD5, modern, 0)
	both := [2]*Store{openTemp(t, Options{Dir: dir}), openTemp(t, Options{Dir: dir})}
	const writers, times = 64, 5
	value := func(n int) []byte { return fmt.Appendf(nil, "\x80\x05J%d.", n) }
	numberOf := func(e sessionstore.Entry) (n int) {
		if e.Found() {
			_, _ = fmt.Sscanf(string(e.Value[3:]), "%d", &n)
		}
		return n
	}
	var all sync.WaitGroup
	for w := range writers {
		s := both[w%2]
		all.Go(func() {
			e, err := s.Get(t.Context(), sid)
			for range times {
				for {
					if err != nil && !errors.Is(err, sessionstore.ErrConflict) {
						t.Error(err)
						return
					}
					n := numberOf(e)
					next := append(value(n+1), fmt.Sprint(" by ", w)...)
					if e, err = s.CompareAndSet(t.Context(), sid, e.Value, next, time.Hour); err == nil {
						e = sessionstore.Entry{Value: next}
						break
					}
				}
			}
			if _, err := s.CompareAndSet(t.Context(), fmt.Sprint("own", w), nil, value(w), time.Hour); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	e, err := both[0].Get(t.Context(), sid)
	if n := numberOf(e); err != nil || n != writers*times {
		t.Errorf("counted %d, want %d, %v", n, writers*times, err)
	}
	for w := range writers {
		want(t, both[w%2], fmt.Sprint("own", w), value(w))
	}
	if c, _ := both[0].readCounter(); c.n != writers+1 {
		t.Errorf("the counter says %d, want %d", c.n, writers+1)
	}
	left, err := filepath.Glob(filepath.Join(dir, "*"+suffix))
	if err != nil || len(left) != 1 || filepath.Base(left[0]) != lockName {
		t.Errorf("left over: %v, %v", left, err)
	}
}

// TestApp saves a session as the app would, just before ours is renamed into place.
func TestApp(t *testing.T) {
	s := openTemp(t, Options{})
	save(t, s, sid, nil, pickle(1), time.Hour)
	f, err := find(s.locate(sid, false), os.O_RDONLY)
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	app := content{modern, time.Now().Unix() + 60, pickle(2), 0}.append(nil)
	replaced := s.path("tmp" + suffix)
	if err := errors.Join(os.WriteFile(replaced, app, 0o600), os.Rename(replaced, f.file.Name())); err != nil {
		t.Fatal(err)
	}
	w := writing{store: s, path: f.file.Name(), value: pickle(3), ttl: time.Hour}
	defer w.discard()
	if placed, err := w.replace(t.Context(), f); placed || err != nil {
		t.Errorf("placed %v, %v", placed, err)
	}
	want(t, s, sid, pickle(2))
	if e, err := s.CompareAndSet(t.Context(), sid, pickle(1), pickle(3), time.Hour); err != sessionstore.ErrConflict || !bytes.Equal(e.Value, pickle(2)) {
		t.Errorf("%v, %v", e, err)
	}
	// There was no file; the app has created one.
	w2 := writing{store: s, path: f.file.Name(), value: pickle(3), ttl: time.Hour}
	defer w2.discard()
	if placed, err := w2.replace(t.Context(), nil); placed || err != nil {
		t.Errorf("placed %v, %v", placed, err)
	}
	want(t, s, sid, pickle(2))
}

// TestNoRight uses a folder that cannot be written to.
func TestNoRight(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := openTemp(t, Options{Dir: dir})
	_, err1 := s.Get(t.Context(), sid)
	_, err2 := s.CompareAndSet(t.Context(), sid, nil, pickle(1), time.Hour)
	for _, err := range []error{err1, err2} {
		if !errors.Is(err, sessionstore.ErrUnavailable) || errors.Is(err, sessionstore.ErrRecord) {
			t.Error(err)
		}
	}
}
