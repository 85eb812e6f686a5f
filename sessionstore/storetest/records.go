package storetest

import (
	"context"
	"strings"
	"time"
)

func getNothing(c *checker) {
	c.want("key", nil)
	c.want(strings.Repeat("k", 200), nil)
}

func create(c *checker) {
	c.save("key", nil, []byte("one"), long)
	c.want("key", []byte("one"))
	c.want("other", nil)
}

func createWhatExists(c *checker) {
	c.save("key", nil, []byte("one"), long)
	c.refuse("key", nil, []byte("two"), []byte("one"))
	c.want("key", []byte("one"))
}

func replace(c *checker) {
	c.save("key", nil, []byte("one"), long)
	c.save("other", nil, []byte("one"), long)
	c.save("key", []byte("one"), []byte("two"), long)
	c.want("key", []byte("two"))
	c.save("key", []byte("two"), []byte("two"), long)
	c.want("key", []byte("two"))
	c.want("other", []byte("one"))
}

func replaceWhatHasChanged(c *checker) {
	c.save("key", nil, []byte("one"), long)
	c.save("key", []byte("one"), []byte("two"), long)
	c.refuse("key", []byte("one"), []byte("three"), []byte("two"))
	c.want("key", []byte("two"))
}

func replaceNothing(c *checker) {
	c.refuse("key", []byte("one"), []byte("two"), nil)
	c.want("key", nil)
}

func repeatSave(c *checker) {
	c.save("key", nil, []byte("one"), long)
	c.save("key", nil, []byte("one"), long)
	c.save("key", []byte("one"), []byte("two"), long)
	c.save("key", []byte("one"), []byte("two"), long)
	c.want("key", []byte("two"))
	// Another writer came in between.
	c.save("key", []byte("two"), []byte("three"), long)
	c.refuse("key", []byte("one"), []byte("two"), []byte("three"))
}

func deleteRecord(c *checker) {
	c.save("key", nil, []byte("one"), long)
	c.save("other", nil, []byte("one"), long)
	c.delete("key", []byte("one"))
	c.want("key", nil)
	c.want("other", []byte("one"))
	c.save("key", nil, []byte("two"), long)
	c.want("key", []byte("two"))
}

func deleteWhatHasChanged(c *checker) {
	c.save("key", nil, []byte("two"), long)
	e, conflict := c.cad("key", []byte("one"))
	if !conflict {
		c.Error("deleting: no conflict")
	}
	c.entry(e, []byte("two"))
	c.want("key", []byte("two"))
}

func deleteNothing(c *checker) {
	c.delete("key", []byte("one"))
	c.save("key", nil, []byte("one"), long)
	c.delete("key", []byte("one"))
	c.delete("key", []byte("one"))
}

func noReturn(c *checker) {
	c.save("key", nil, []byte("one"), long)
	c.save("key", []byte("one"), []byte("two"), long)
	c.delete("key", []byte("two"))
	c.refuse("key", []byte("two"), []byte("three"), nil)
	c.refuse("key", []byte("one"), []byte("two"), nil) // the earlier save again, late
	c.touch("key", []byte("two"), long)
	c.settle()
	c.want("key", nil)
}

func secretFreeErrors(c *checker) {
	const key, value, other = "a-key-to-find", "a-value-to-find", "another-value-to-find"
	c.save(key, nil, []byte(value), long)
	ended, cancel := context.WithCancel(c.Context())
	cancel()
	var errs []error
	for _, ctx := range []context.Context{c.Context(), ended} {
		_, err1 := c.store.CompareAndSet(ctx, key, nil, []byte(other), time.Hour)
		_, err2 := c.store.CompareAndDelete(ctx, key, []byte(other))
		_, err3 := c.store.Get(ctx, key)
		err4 := c.store.Touch(ctx, key, []byte(value), time.Hour)
		errs = append(errs, err1, err2, err3, err4)
	}
	for _, err := range errs {
		if err != nil && strings.Contains(err.Error(), "to-find") {
			c.Errorf("contains a key or a value: %v", err)
		}
	}
}
