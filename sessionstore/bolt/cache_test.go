package bolt

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// counted is a key whose record has been changed n times. After an odd number of changes it is there and holds the number; after an
// even one it is gone.
type counted struct {
	key             string
	begun, answered atomic.Int64
}

// change makes the next change.
func (c *counted) change(t *testing.T, s sessionstore.Store) {
	n := c.begun.Add(1)
	var err error
	if n%2 == 1 {
		_, err = s.CompareAndSet(t.Context(), c.key, nil, []byte(strconv.FormatInt(n, 10)), time.Hour)
	} else {
		_, err = s.CompareAndDelete(t.Context(), c.key, []byte(strconv.FormatInt(n-1, 10)))
	}
	if err != nil {
		t.Error(err)
	}
	c.answered.Store(n)
}

// read returns the number of changes that a read shows, at least: not fewer than were answered before it, nor than seen.
func (c *counted) read(t *testing.T, s sessionstore.Store, seen int64) int64 {
	from := max(c.answered.Load(), seen)
	e, err := s.Get(t.Context(), c.key)
	to := c.begun.Load()
	if err != nil {
		t.Error(err)
		return seen
	}
	if !e.Found() {
		if from%2 == 1 {
			from++
		}
		if from > to {
			t.Errorf("nothing is there, after %d of %d changes", from-1, to)
		}
		return from
	}
	n, err := strconv.ParseInt(string(e.Value), 10, 64)
	if err != nil || n < from || n > to {
		t.Errorf("there is the record of change %s, between %d and %d", e.Value, from, to)
	}
	return n
}

// TestNothingStaleIsRead has readers, which make sure that something is often missing in the cache, race writers.
func TestNothingStaleIsRead(t *testing.T) {
	s := openTemp(t, Options{})
	f, err := s.file(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	f.db.NoSync = true // more changes in less time
	keys := make([]counted, 8)
	var writers, readers sync.WaitGroup
	var done atomic.Bool
	for i := range keys {
		c := &keys[i]
		c.key = fmt.Sprint("key", i)
		writers.Go(func() {
			for range 1000 {
				c.change(t, s)
			}
		})
		readers.Go(func() {
			for seen := int64(0); !done.Load() && !t.Failed(); {
				if rand.IntN(3) == 0 {
					f.cache.delete(c.key)
				}
				seen = c.read(t, s, seen)
			}
		})
	}
	writers.Wait()
	done.Store(true)
	readers.Wait()
}

func TestWhatIsWrittenIsCached(t *testing.T) {
	var c clock
	s := openTemp(t, Options{Now: c.now})
	save(t, s, "key", nil, []byte("one"))
	f, _ := s.file(t.Context())
	wantCached := func(value string, left time.Duration) {
		t.Helper()
		r, ok, _ := f.cache.get("key")
		if e := r.entry(s.now()); !ok || string(e.Value) != value || e.TTL != left {
			t.Errorf("there is %q for %v, want %q for %v", e.Value, e.TTL, value, left)
		}
	}
	wantCached("one", time.Hour)
	save(t, s, "key", []byte("one"), []byte("two"))
	wantCached("two", time.Hour)

	c.advance(time.Minute)
	if err := s.Touch(t.Context(), "key", []byte("two"), time.Hour); err != nil {
		t.Fatal(err)
	}
	save(t, s, "other", nil, []byte("one")) // and the touch with it
	wantCached("two", time.Hour)

	c.advance(time.Hour)
	want(t, s, "key", nil)
	run(t, s, &op{kind: sweepOp, keys: [][]byte{[]byte("key")}})
	if _, ok, _ := f.cache.get("key"); ok {
		t.Error("what was swept is cached")
	}

	save(t, s, "empty", nil, nil)
	want(t, s, "empty", []byte{})
}

// TestAFailedTransactionIsNotCached tells of a key that is on hold only while its transaction is under way.
func TestAFailedTransactionIsNotCached(t *testing.T) {
	s := openTemp(t, Options{})
	save(t, s, "key", nil, []byte("one"))
	f, _ := s.file(t.Context())
	changes := []written{{key: "key", record: record{value: []byte("two"), deadline: s.now() + 1000}}}
	f.cache.hold(changes)
	f.cache.learn("key", changes[0].record, 0)
	if _, ok, _ := f.cache.get("key"); ok {
		t.Error("a record is cached whose key is on hold")
	}
	f.cache.release(changes, true)
	if _, ok, _ := f.cache.get("key"); ok {
		t.Error("a record is cached that was not committed")
	}
	want(t, s, "key", []byte("one"))
	if _, ok, _ := f.cache.get("key"); !ok {
		t.Error("a record that was read is not cached")
	}
}

func TestTheCacheIsBounded(t *testing.T) {
	c := newCache()
	value := make([]byte, 600)
	for i := range 3 * cacheBytes / len(value) {
		c.learn(fmt.Sprint("key", i), record{value: value}, 0)
	}
	var kept, bytes int
	for i := range c.shards {
		s := &c.shards[i]
		sum := 0
		for key, r := range s.records {
			sum += r.size(key)
		}
		if sum != s.bytes {
			t.Errorf("a shard counts %d bytes and has %d", s.bytes, sum)
		}
		kept += len(s.records)
		bytes += sum
	}
	if bytes > cacheBytes || bytes < cacheBytes*9/10 || kept < cacheBytes/len(value)/2 {
		t.Errorf("%d records of %d bytes", kept, bytes)
	}
	for size, want := range map[int]bool{maxCached - cachedOverhead - 1: true, maxCached - cachedOverhead: false} {
		c.learn("k", record{value: make([]byte, size)}, 0)
		if _, ok, _ := c.get("k"); ok != want {
			t.Errorf("a record of %d bytes: %v", size, ok)
		}
		c.delete("k")
	}
}
