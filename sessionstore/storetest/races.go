package storetest

import (
	"crypto/rand"
	"fmt"
	"strconv"
	"sync/atomic"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// versionLen is the length of the random data at the start of a counter. It prevents that two
// savers write the same value and take each other's save for their own.
const versionLen = 16

func newCounter(n int) []byte {
	value := make([]byte, versionLen, versionLen+20)
	_, _ = rand.Read(value)
	return strconv.AppendInt(value, int64(n), 10)
}

func (c *checker) counter(e sessionstore.Entry) int {
	if !e.Found() {
		return 0
	}
	n, err := strconv.Atoi(string(e.Value[versionLen:]))
	if err != nil {
		c.Errorf("a counter of %q", e.Value)
	}
	return n
}

// add increments the counter under key. After the first read it uses the values that conflicts
// return.
func (c *checker) add(key string) {
	e := c.get(key)
	for !c.Failed() {
		var conflict bool
		seen := e
		e, conflict = c.cas(key, seen.Value, newCounter(c.counter(seen)+1), long)
		if !conflict {
			return
		}
	}
}

func noLostUpdates(c *checker) {
	const workers, times = 16, 25
	parallel(workers, func(int) {
		for range times {
			c.add("key")
		}
	})
	if n := c.counter(c.get("key")); n != workers*times {
		c.Errorf("counted %d, want %d", n, workers*times)
	}
}

func oneCreates(c *checker) {
	for round := range 20 {
		key := fmt.Sprint("key", round)
		var won atomic.Int32
		parallel(8, func(i int) {
			if e, conflict := c.cas(key, nil, fmt.Appendf(nil, "from %d", i), long); !conflict {
				won.Add(1)
			} else if !e.Found() {
				c.Error("a conflict without a record")
			}
		})
		if won.Load() != 1 {
			c.Errorf("round %d: %d creates succeeded", round, won.Load())
		}
	}
}

// deleteOrReplace races a logout with a save. One of them wins, and the other gets a conflict.
func deleteOrReplace(c *checker) {
	for round := range 40 {
		key := fmt.Sprint("key", round)
		c.save(key, nil, []byte("one"), long)
		var saved, deleted bool
		parallel(2, func(i int) {
			if i == round%2 {
				_, conflict := c.cas(key, []byte("one"), []byte("two"), long)
				saved = !conflict
			} else {
				_, conflict := c.cad(key, []byte("one"))
				deleted = !conflict
			}
		})
		if saved == deleted {
			c.Errorf("round %d: saved %v, deleted %v", round, saved, deleted)
		}
		if saved {
			c.want(key, []byte("two"))
		} else {
			c.want(key, nil)
		}
	}
}
