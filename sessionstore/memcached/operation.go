package memcached

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/caddy-session/caddy-session/internal/remote"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// attempts is the maximum number of attempts when connections break.
const attempts = 3

var errSize = errors.New("the key is empty or too long, or the record is too large")

// operation is one operation of the store on the server of its key.
type operation struct {
	*server
	ctx  context.Context
	opts *Options
	key  string

	// uncertain says that a write whose reply was lost may have been applied. The next attempt
	// recognizes its own write. But if that was overwritten meanwhile, the outcome is unknown:
	// [remote.ErrLost].
	uncertain bool
}

// do runs op. The client takes no context: when ctx ends, do returns, and the command under way
// goes on until the client's timeout.
func (s *Store) do(ctx context.Context, key string, op func(*operation) (sessionstore.Entry, error)) (sessionstore.Entry, error) {
	if len(key) == 0 || len(key) > sessionstore.MaxKey {
		return sessionstore.Entry{}, unavailable(errSize)
	}
	if err := ctx.Err(); err != nil {
		return sessionstore.Entry{}, unavailable(err)
	}
	key = s.opts.KeyPrefix + key
	o := &operation{server: s.server(key), ctx: ctx, opts: &s.opts, key: key}
	select {
	case o.slots <- struct{}{}:
	case <-ctx.Done():
		return sessionstore.Entry{}, unavailable(ctx.Err())
	}
	type result struct {
		found sessionstore.Entry
		err   error
	}
	done := make(chan result, 1)
	s.working.Go(func() {
		found, err := o.try(op)
		<-o.slots
		done <- result{found, err}
	})
	select {
	case r := <-done:
		switch {
		case r.err == nil, r.err == sessionstore.ErrConflict:
			return r.found, r.err
		case errors.Is(r.err, sessionstore.ErrRecord):
			return sessionstore.Entry{}, r.err
		default:
			return sessionstore.Entry{}, unavailable(cmp.Or(remote.Ended(ctx), r.err))
		}
	case <-ctx.Done():
		return sessionstore.Entry{}, unavailable(ctx.Err())
	}
}

func (o *operation) try(op func(*operation) (sessionstore.Entry, error)) (sessionstore.Entry, error) {
	for attempt := 1; ; attempt++ {
		found, err := op(o)
		if err == nil || err == sessionstore.ErrConflict || attempt == attempts || !retryable(err) || o.ctx.Err() != nil {
			return found, err
		}
		// The server may have restarted: then all idle connections are broken.
		_ = o.client.Close()
	}
}

// get returns the record. Its item is nil if the key has none.
func (o *operation) get() (record, error) {
	if err := o.ctx.Err(); err != nil {
		return record{}, err
	}
	var item *memcache.Item
	miss, err := o.send(func(c *memcache.Client) (err error) {
		item, err = c.Get(o.key)
		return err
	})
	if err != nil || miss != nil {
		return record{}, err
	}
	return o.opts.open(item)
}

// add writes a record if the key has no item.
func (o *operation) add(value []byte, ttl time.Duration) (done bool, err error) {
	item := &memcache.Item{Key: o.key}
	o.opts.fill(item, value, ttl)
	return o.write(func(c *memcache.Client) error { return c.Add(item) })
}

// replace writes a record if the item of r is still there.
func (o *operation) replace(r record, value []byte, ttl time.Duration) (done bool, err error) {
	o.opts.fill(r.item, value, ttl)
	return o.write(func(c *memcache.Client) error { return c.CompareAndSwap(r.item) })
}

// delete deletes the item of r if it is still there. The protocol's delete does not compare, so
// delete replaces the item with one that has already expired.
func (o *operation) delete(r record) (done bool, err error) {
	r.item.Value, r.item.Expiration = nil, -1
	return o.write(func(c *memcache.Client) error { return c.CompareAndSwap(r.item) })
}

func (o *operation) write(command func(*memcache.Client) error) (done bool, err error) {
	if err := o.ctx.Err(); err != nil {
		return false, err
	}
	inTheWay, err := o.send(command)
	o.uncertain = o.uncertain || mayHaveRun(err)
	return err == nil && inTheWay == nil, err
}

// conflict returns what [sessionstore.Store] asks for when another record is there.
func (o *operation) conflict(r record) (sessionstore.Entry, error) {
	if o.uncertain {
		return sessionstore.Entry{}, remote.ErrLost
	}
	return r.entry(), sessionstore.ErrConflict
}

// unavailable wraps an error for [sessionstore.Store].
func unavailable(err error) error {
	return fmt.Errorf("%w: memcached: %w", sessionstore.ErrUnavailable, err)
}
