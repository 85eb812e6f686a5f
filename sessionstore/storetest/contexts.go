package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// soon is how long a method may take after its context has ended. It is long, because it must only
// catch methods that wait for something else.
const soon = 5 * time.Second

func endedContext(c *checker) {
	cancelled, cancel := context.WithCancel(c.Context())
	cancel()
	late, cancel := context.WithDeadline(c.Context(), time.Now().Add(-time.Second))
	defer cancel()

	c.save("key", nil, []byte("one"), long)
	for _, ctx := range []context.Context{cancelled, late} {
		for name, call := range map[string]func() error{
			"get":    func() error { _, err := c.store.Get(ctx, "key"); return err },
			"create": func() error { _, err := c.store.CompareAndSet(ctx, "new", nil, []byte("one"), long); return err },
			"save": func() error {
				_, err := c.store.CompareAndSet(ctx, "key", []byte("one"), []byte("two"), long)
				return err
			},
			"delete": func() error { _, err := c.store.CompareAndDelete(ctx, "gone", []byte("one")); return err },
			"touch":  func() error { return c.store.Touch(ctx, "key", []byte("one"), long) },
		} {
			start := time.Now()
			if err := call(); !errors.Is(err, ctx.Err()) || errors.Is(err, sessionstore.ErrConflict) {
				c.Errorf("%s: got %v, want %v", name, err, ctx.Err())
			}
			if d := time.Since(start); d > soon {
				c.Errorf("%s: took %v", name, d)
			}
		}
	}
}

// endingContexts ends contexts at random moments of a write. Each write happens as a whole or not
// at all.
func endingContexts(c *checker) {
	parallel(8, func(worker int) {
		key := fmt.Sprint("key", worker)
		var now []byte
		for round := range 40 {
			value := bytes.Repeat([]byte{byte(round)}, 100+1000*rand.IntN(20))
			ctx, cancel := context.WithTimeout(c.Context(), time.Duration(rand.IntN(2000))*time.Microsecond)
			start := time.Now()
			_, err := c.store.CompareAndSet(ctx, key, now, value, long)
			took := time.Since(start)
			cancel()
			if took > soon {
				c.Errorf("took %v", took)
			}
			switch {
			case err == nil:
				c.want(key, value)
			case !errors.Is(err, context.DeadlineExceeded):
				c.Errorf("got %v", err)
			default:
				if e := c.get(key); !bytes.Equal(e.Value, now) && !bytes.Equal(e.Value, value) {
					c.Errorf("got %.40q of %d bytes", e.Value, len(e.Value))
				}
			}
			// The write may still be applied later, so continue from what is there after another
			// write.
			if e, conflict := c.cas(key, now, value, long); conflict {
				c.Errorf("a conflict with %.40q of %d bytes", e.Value, len(e.Value))
			}
			now = value
		}
	})
}
