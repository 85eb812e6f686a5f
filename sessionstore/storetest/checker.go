package storetest

import (
	"bytes"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// long is a time to live that does not run out during a test.
const long = time.Hour

// checker is the context of a test in the suite.
type checker struct {
	*testing.T
	Harness
	store sessionstore.Store
}

func (c *checker) close(s sessionstore.Store) {
	if err := s.Close(); err != nil {
		c.Errorf("closing: %v", err)
	}
}

// with returns c for another store.
func (c *checker) with(s sessionstore.Store) *checker {
	return &checker{T: c.T, Harness: c.Harness, store: s}
}

// cas saves a value and reports a conflict. Any other error fails the test.
func (c *checker) cas(key string, old, value []byte, ttl time.Duration) (sessionstore.Entry, bool) {
	c.Helper()
	e, err := c.store.CompareAndSet(c.Context(), key, old, value, ttl)
	if err != nil && !errors.Is(err, sessionstore.ErrConflict) {
		c.Errorf("saving: %v", err)
	}
	return e, err != nil
}

// save is cas that must succeed.
func (c *checker) save(key string, old, value []byte, ttl time.Duration) {
	c.Helper()
	if e, conflict := c.cas(key, old, value, ttl); conflict {
		c.Errorf("saving: a conflict with %.40q", e.Value)
	}
}

// refuse is cas that must report found as the conflict.
func (c *checker) refuse(key string, old, value, found []byte) {
	c.Helper()
	e, conflict := c.cas(key, old, value, long)
	if !conflict {
		c.Errorf("saving: no conflict")
	}
	c.entry(e, found)
}

// cad deletes a record and reports a conflict. Any other error fails the test.
func (c *checker) cad(key string, old []byte) (sessionstore.Entry, bool) {
	c.Helper()
	e, err := c.store.CompareAndDelete(c.Context(), key, old)
	if err != nil && !errors.Is(err, sessionstore.ErrConflict) {
		c.Errorf("deleting: %v", err)
	}
	return e, err != nil
}

// delete is cad that must succeed.
func (c *checker) delete(key string, old []byte) {
	c.Helper()
	if e, conflict := c.cad(key, old); conflict {
		c.Errorf("deleting: a conflict with %.40q", e.Value)
	}
}

func (c *checker) touch(key string, old []byte, ttl time.Duration) {
	c.Helper()
	if err := c.store.Touch(c.Context(), key, old, ttl); err != nil {
		c.Errorf("touching: %v", err)
	}
}

func (c *checker) get(key string) sessionstore.Entry {
	c.Helper()
	e, err := c.store.Get(c.Context(), key)
	if err != nil {
		c.Errorf("getting: %v", err)
	}
	return e
}

// want checks the record under key. Nil means none.
func (c *checker) want(key string, value []byte) {
	c.Helper()
	c.entry(c.get(key), value)
}

// entry checks an entry whose value was saved for at most [long].
func (c *checker) entry(e sessionstore.Entry, value []byte) {
	c.Helper()
	switch {
	case value == nil:
		if e.Value != nil || e.TTL != 0 || e.Found() {
			c.Errorf("got %.40q for %v, want no record", e.Value, e.TTL)
		}
	case e.Value == nil || !e.Found():
		c.Errorf("no record, want %.40q", value)
	case !bytes.Equal(e.Value, value):
		c.Errorf("got %.40q of %d bytes, want %.40q of %d", e.Value, len(e.Value), value, len(value))
	default:
		c.ttl(e, long)
	}
}

// ttl checks that a time to live is no longer than asked, plus one tick for stores that round up.
func (c *checker) ttl(e sessionstore.Entry, asked time.Duration) {
	c.Helper()
	if e.TTL <= 0 || e.TTL > asked+c.Tick {
		c.Errorf("a time to live of %v, want above 0 and at most %v", e.TTL, asked)
	}
}

// ticks lets n ticks pass.
func (c *checker) ticks(n int) { c.Advance(time.Duration(n) * c.Tick) }

// eventually waits for an effect that may come after the method has returned.
func (c *checker) eventually(what string, ok func() bool) {
	c.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			c.Fatalf("not within 10 seconds: %s", what)
		}
	}
}

// touched waits for the effect of a touch: a time to live of at most ttl and more than after.
func (c *checker) touched(key string, after, ttl time.Duration) {
	c.Helper()
	c.eventually("the touch is seen", func() bool {
		e := c.get(key)
		return e.TTL > after && e.TTL <= ttl+c.Tick
	})
}

// settle waits until all earlier touches have taken effect.
func (c *checker) settle() {
	c.Helper()
	const key = "settle"
	value := []byte("settled")
	if !c.get(key).Found() {
		c.save(key, nil, value, long)
	}
	c.touch(key, value, 2*long)
	c.touched(key, long, 2*long)
	c.delete(key, value)
}

// parallel runs f(0) to f(n-1) concurrently and waits for all.
func parallel(n int, f func(i int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { f(i) })
	}
	all.Wait()
}
