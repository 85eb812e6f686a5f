package bolt

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	bbolt "go.etcd.io/bbolt"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// counted is a key whose record has been changed n times. After an odd number of changes the record
// holds that number. After an even number there is no record.
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

// read returns the number of changes that a read shows. It must not be less than seen, nor than the
// number of changes that had returned before the read.
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
			t.Errorf("no record after %d of %d changes", from-1, to)
		}
		return from
	}
	n, err := strconv.ParseInt(string(e.Value), 10, 64)
	if err != nil || n < from || n > to {
		t.Errorf("read change %s, want one from %d to %d", e.Value, from, to)
	}
	return n
}

// TestReadsAreNotStale runs readers and writers at once. The readers delete keys from the cache, so
// that they often read the file.
func TestReadsAreNotStale(t *testing.T) {
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
					f.cache.drop(c.key)
				}
				seen = c.read(t, s, seen)
			}
		})
	}
	writers.Wait()
	done.Store(true)
	readers.Wait()
}

func TestCache(t *testing.T) {
	var c clock
	s := openTemp(t, Options{Now: c.now})
	save(t, s, "key", nil, []byte("one"))
	f, _ := s.file(t.Context())
	wantCached := func(want bool) {
		t.Helper()
		if _, ok, _ := f.cache.get("key"); ok != want {
			t.Errorf("cached: %v, want %v", ok, want)
		}
	}
	wantCached(false)
	want(t, s, "key", []byte("one"))
	wantCached(true)
	save(t, s, "key", []byte("one"), []byte("two"))
	wantCached(false)
	want(t, s, "key", []byte("two"))

	c.advance(time.Minute)
	if err := s.Touch(t.Context(), "key", []byte("two"), time.Hour); err != nil {
		t.Fatal(err)
	}
	save(t, s, "other", nil, []byte("one")) // writes the touch too
	if left := ttl(t, s, "key"); left != time.Hour {
		t.Errorf("%v left", left)
	}

	wantCached(true)
	c.advance(time.Hour)
	want(t, s, "key", nil)
	run(t, s, &op{kind: sweepOp, keys: [][]byte{[]byte("key")}})
	wantCached(false)

	save(t, s, "empty", nil, nil)
	want(t, s, "empty", []byte{})
}

// TestStaleReadsAreNotCached adds records that were read before, during and after a transaction.
func TestStaleReadsAreNotCached(t *testing.T) {
	c, old := newCache(), record{value: []byte("old")}
	cached := func() bool { _, ok, _ := c.get("key"); return ok }
	_, _, before := c.get("key")
	c.add("key", old, before)
	c.hold([]string{"key", "key"}) // two changes of one transaction
	_, _, during := c.get("key")
	c.add("key", old, before)
	if cached() {
		t.Error("the record of a held key is cached")
	}
	c.release([]string{"key", "key"})
	c.add("key", old, before)
	c.add("key", old, during)
	if cached() {
		t.Error("a record from before the end of the transaction is cached")
	}
	_, _, after := c.get("key")
	c.add("key", old, after)
	if !cached() {
		t.Error("a record from after the transaction is not cached")
	}
}

// TestFailedChangeLeavesTheCache lets a change fail before its transaction is committed.
func TestFailedChangeLeavesTheCache(t *testing.T) {
	s := openTemp(t, Options{})
	save(t, s, "key", nil, []byte("one"))
	want(t, s, "key", []byte("one"))
	f, _ := s.file(t.Context())
	bytes := f.cache.bytes
	failed := errors.New("failed")
	if err := f.update(func(*bbolt.Bucket) ([]string, error) { return []string{"key"}, failed }); !errors.Is(err, failed) {
		t.Error(err)
	}
	if _, ok, _ := f.cache.get("key"); !ok || f.cache.bytes != bytes {
		t.Error("the record is not cached any more")
	}
}

func TestCacheIsBounded(t *testing.T) {
	c := newCache()
	value := make([]byte, 600)
	for i := range 3 * cacheBytes / len(value) {
		c.add(fmt.Sprint("key", i), record{value: value}, 0)
	}
	sum := 0
	for key, r := range c.records {
		sum += cachedSize(key, r)
	}
	if sum != c.bytes || sum > cacheBytes || sum < cacheBytes*9/10 {
		t.Errorf("it counts %d bytes and has %d", c.bytes, sum)
	}
	for size, want := range map[int]bool{maxCached - cachedOverhead - 1: true, maxCached - cachedOverhead: false} {
		c.add("k", record{value: make([]byte, size)}, 0)
		if _, ok, _ := c.get("k"); ok != want {
			t.Errorf("a record of %d bytes: %v", size, ok)
		}
		c.drop("k")
	}
}
