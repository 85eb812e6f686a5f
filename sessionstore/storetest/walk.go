package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"sync/atomic"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// fewMore is how far a page may exceed its limit, where a server decides.
const fewMore = 64

// walk walks through all records, and returns the last value of each key.
func (c *checker) walk(prefix string, limit int) map[string][]byte {
	c.Helper()
	w := c.store.(sessionstore.Walker)
	found := make(map[string][]byte)
	after := ""
	for pages := 0; ; pages++ {
		page, err := w.Walk(c.Context(), prefix, after, limit)
		if err != nil {
			c.Fatalf("walking: %v", err)
		}
		if len(page.Records) > limit+fewMore {
			c.Errorf("a page of %d records, want about %d", len(page.Records), limit)
		}
		for _, r := range page.Records {
			if !bytes.HasPrefix([]byte(r.Key), []byte(prefix)) {
				c.Errorf("a key without the prefix %q", prefix)
			}
			if !r.Found() || r.TTL <= 0 {
				c.Errorf("an entry without a value or a time to live")
			}
			found[r.Key] = r.Value
		}
		if after = page.Next; after == "" {
			return found
		}
		if pages > 100_000 {
			c.Fatal("the walk does not end")
		}
	}
}

// walked checks that a walk finds what it must: each of the keys with its value.
func (c *checker) walked(found map[string][]byte, want map[string][]byte) {
	c.Helper()
	for key, value := range want {
		if !bytes.Equal(found[key], value) {
			c.Errorf("%s: the walk gave %.40q, want %.40q", key, found[key], value)
		}
	}
}

// fill saves n records and returns them.
func (c *checker) fill(prefix string, n int) map[string][]byte {
	all := make(map[string][]byte, n)
	for i := range n {
		all[fmt.Sprintf("%s%d", prefix, i)] = fmt.Appendf(nil, "value %d", i)
	}
	keys := make([]string, 0, n)
	for key := range all {
		keys = append(keys, key)
	}
	const workers = 16
	parallel(workers, func(w int) {
		for i := w; i < len(keys); i += workers {
			c.save(keys[i], nil, all[keys[i]], long)
		}
	})
	return all
}

func walkNothing(c *checker) {
	if found := c.walk("", 10); len(found) > 0 {
		c.Errorf("found %d records", len(found))
	}
}

// walkAll also walks with a prefix that means something in globs and in SQL.
func walkAll(c *checker) {
	all := c.fill("one:", 300)
	other := c.fill("t*_%[w]:", 20)
	maps.Copy(other, c.fill("t*_%[w]", 20))
	for _, limit := range []int{2, 50, sessionstore.MaxPage} {
		found := c.walk("one:", limit)
		c.walked(found, all)
		if len(found) != len(all) {
			c.Errorf("limit %d: found %d records, want %d", limit, len(found), len(all))
		}
	}
	found := c.walk("t*_%[w]", 7)
	c.walked(found, other)
	if len(found) != len(other) {
		c.Errorf("found %d records, want %d", len(found), len(other))
	}
	if found = c.walk("", 100); len(found) != len(all)+len(other) {
		c.Errorf("found %d records, want %d", len(found), len(all)+len(other))
	}
	if found = c.walk("three", 100); len(found) > 0 {
		c.Errorf("found %d records of a prefix that no key has", len(found))
	}
}

// walkLarge checks that a page ends when its records have taken enough memory.
func walkLarge(c *checker) {
	const n = 12
	value := bytes.Repeat([]byte("v"), sessionstore.MaxValue)
	for i := range n {
		c.save(fmt.Sprint("key", i), nil, value, long)
	}
	if found := c.walk("", 3); len(found) != n {
		c.Errorf("found %d records, want %d", len(found), n)
	}
}

func walkExpired(c *checker) {
	long := c.fill("long", 20)
	for i := range 20 {
		c.save(fmt.Sprint("short", i), nil, []byte("one"), 4*c.Tick)
	}
	c.save("touched", nil, []byte("one"), 20*c.Tick)
	c.touch("touched", []byte("one"), 100*c.Tick)
	c.touched("touched", 50*c.Tick, 100*c.Tick)
	c.ticks(6)
	long["touched"] = []byte("one")
	found := c.walk("", 7)
	c.walked(found, long)
	if len(found) != len(long) {
		c.Errorf("found %d records, want %d: the others have expired", len(found), len(long))
	}
}

// walkUnderWrites walks while 8 writers create, replace and delete other records.
func walkUnderWrites(c *checker) {
	const writers, keys = 8, 40
	standing := c.fill("standing", 200)
	var done atomic.Bool
	parallel(1+writers, func(i int) {
		if i == writers {
			defer done.Store(true)
			for range 3 {
				c.walked(c.walk("", 20), standing)
			}
			return
		}
		for n := 0; !done.Load() && !c.Failed(); n++ {
			key := fmt.Sprintf("writer%d-%d", i, n%keys)
			one, two := fmt.Appendf(nil, "one %d", n), fmt.Appendf(nil, "two %d", n)
			c.save(key, nil, one, long)
			c.save(key, one, two, long)
			c.delete(key, two)
			// A standing record may be replaced and touched too: it stays there.
			same := fmt.Sprint("standing", i)
			c.save(same, standing[same], standing[same], long)
			c.touch(same, standing[same], long)
		}
	})
}

func walkEnded(c *checker) {
	c.fill("key", 5)
	ctx, cancel := context.WithCancel(c.Context())
	cancel()
	if _, err := c.store.(sessionstore.Walker).Walk(ctx, "", "", 10); !errors.Is(err, context.Canceled) {
		c.Errorf("got %v", err)
	}
}
