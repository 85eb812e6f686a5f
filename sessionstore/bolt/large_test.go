package bolt

import (
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	bbolt "go.etcd.io/bbolt"

	"github.com/caddy-session/caddy-session/internal/longtest"
)

// TestAMillionSessions measures what grows with the number of sessions. It takes a gigabyte of disk
// and half a minute, if CADDY_SESSION_LARGE is set. If not, it uses a fiftieth of the sessions.
func TestAMillionSessions(t *testing.T) {
	n := 20_000
	if os.Getenv("CADDY_SESSION_LARGE") != "" {
		n = 1_000_000
	} else {
		longtest.Test(t)
	}
	small := openTemp(t, Options{})
	smallList := fill(t, small, 1000)
	s := openTemp(t, Options{})
	before := heap()
	list := fill(t, s, n)
	save(t, s, "key", nil, []byte("one"))
	const listed = 16 + 64 // bytes that a key takes in the list of this test
	grown := heap() - before - int64(n)*listed
	t.Logf("the heap has grown by %d MB", grown>>20)
	if grown > 64<<20 {
		t.Error("that is too much")
	}
	f, _ := s.file(t.Context())
	for _, key := range list { // the first read from a page of the map costs extra
		if _, err := f.read(key, s.now()); err != nil {
			t.Fatal(err)
		}
	}
	fast, slow := reading(t, small, smallList), reading(t, s, list)
	t.Logf("a read takes %v among 1,000 and %v among %d", fast, slow, n)
	// The caches of the processor hold a thousand sessions, not a million. What grows is the time
	// to fetch a session from memory.
	if slow > 10*fast {
		t.Errorf("a read takes %v among 1,000 and %v among %d", fast, slow, n)
	}
	took := writing(t, s)

	start := time.Now()
	closeStore(t, s)
	t.Logf("closing took %v", time.Since(start))
	s = reopen(t, s, "after closing it")

	// As after a crash while the list of free pages was left out.
	f, _ = s.file(t.Context())
	f.commitUnsynced(t)
	if err := f.db.Close(); err != nil {
		t.Fatal(err)
	}
	_ = s.Close()
	s = reopen(t, s, "after a crash")

	f, _ = s.file(t.Context())
	f.db.NoSync = true
	for part := range slices.Chunk(list[:n*9/10], maxSweep) {
		err := f.update(func(b *bbolt.Bucket) (changed []string, err error) {
			for _, key := range part {
				if err := b.Delete([]byte(key)); err != nil {
					return nil, err
				}
				changed = append(changed, key)
			}
			return changed, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	f.db.NoSync = false
	save(t, s, "settle", nil, []byte("one"))
	after := writing(t, s)
	t.Logf("a write takes %v before deleting most, and %v after, with %d free pages", took, after, f.db.Stats().FreePageN)
	if after > 4*took {
		t.Errorf("a write takes %v before deleting most, and %v after", took, after)
	}
	t.Logf("the heap has grown by %d MB", (heap()-before)>>20)
	closeStore(t, s)
	full, compact, err := Compact(t.Context(), s.o.Path)
	t.Logf("compacted from %d MB to %d MB, %v", full>>20, compact>>20, err)
}

// commitUnsynced writes a transaction without the list of free pages.
func (f *file) commitUnsynced(tb testing.TB) {
	tb.Helper()
	tx, err := f.db.Begin(true)
	if err == nil {
		err = f.commit(tx, false)
	}
	if err != nil {
		tb.Fatal(err)
	}
}

func reopen(t *testing.T, s *Store, when string) *Store {
	start := time.Now()
	s = openTemp(t, Options{Path: s.o.Path})
	if _, err := s.Get(t.Context(), "key"); err != nil {
		t.Fatal(err)
	}
	t.Logf("opening %s took %v", when, time.Since(start))
	return s
}

// reading returns the time of a read from the memory map.
func reading(t *testing.T, s *Store, list []string) time.Duration {
	const times = 20_000
	f, err := s.file(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	best := time.Hour
	for range 3 {
		start := time.Now()
		for i := range times {
			if r, err := f.read(list[i*7919%len(list)], s.now()); err != nil || r.value == nil {
				t.Fatal(err)
			}
		}
		best = min(best, time.Since(start)/times)
	}
	return best
}

// writing returns the processor time of a write.
func writing(t *testing.T, s *Store) time.Duration {
	best := time.Hour
	for range 3 {
		start := processorTime()
		const times = 100
		for range times {
			save(t, s, newKey(), nil, make([]byte, 500))
		}
		best = min(best, (processorTime()-start)/times)
	}
	return best
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
