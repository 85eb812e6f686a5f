package memcached

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// attempts is how often an operation is begun at most, when a connection was broken.
const attempts = 3

var (
	errLost = errors.New("a reply was lost, and the record has been changed since by another or by this very write")
	errSize = errors.New("a key or a record is too large, or a key is empty")
)

// visit is an operation on the server of its key.
type visit struct {
	*server
	ctx  context.Context
	opts *Options
	key  string

	// uncertain says that a write may have been executed whose reply was lost. The next attempt knows its own write; but when
	// that has been written over meanwhile, nobody can know any more. This is then an error and no conflict, or the same
	// change would be made again.
	uncertain bool
}

// do has an operation done. The client knows no contexts: when ours ends, do returns, and what was sent goes on
// until the client's timeout.
func (s *Store) do(ctx context.Context, key string, op func(*visit) (sessionstore.Entry, error)) (sessionstore.Entry, error) {
	if len(key) == 0 || len(key) > sessionstore.MaxKey {
		return sessionstore.Entry{}, unavailable(errSize)
	}
	if err := ctx.Err(); err != nil {
		return sessionstore.Entry{}, unavailable(err)
	}
	key = s.opts.KeyPrefix + key
	v := &visit{server: s.server(key), ctx: ctx, opts: &s.opts, key: key}
	select {
	case v.slots <- struct{}{}:
	case <-ctx.Done():
		return sessionstore.Entry{}, unavailable(ctx.Err())
	}
	type result struct {
		found sessionstore.Entry
		err   error
	}
	done := make(chan result, 1)
	s.working.Go(func() {
		found, err := v.try(op)
		<-v.slots
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
			return sessionstore.Entry{}, unavailable(r.err)
		}
	case <-ctx.Done():
		return sessionstore.Entry{}, unavailable(ctx.Err())
	}
}

func (v *visit) try(op func(*visit) (sessionstore.Entry, error)) (sessionstore.Entry, error) {
	for attempt := 1; ; attempt++ {
		found, err := op(v)
		if err == nil || err == sessionstore.ErrConflict || attempt == attempts || !passing(err) || v.ctx.Err() != nil {
			return found, err
		}
		// The server may have been restarted: then all connections that wait to be used are broken.
		_ = v.client.Close()
	}
}

// get returns the record, or one without an item.
func (v *visit) get() (record, error) {
	if err := v.ctx.Err(); err != nil {
		return record{}, err
	}
	var item *memcache.Item
	miss, err := v.send(func(c *memcache.Client) (err error) {
		item, err = c.Get(v.key)
		return err
	})
	if err != nil || miss != nil {
		return record{}, err
	}
	return v.opts.open(item)
}

// add writes a record where no item is.
func (v *visit) add(value []byte, ttl time.Duration) (done bool, err error) {
	item := &memcache.Item{Key: v.key}
	v.opts.fill(item, value, ttl)
	return v.write(func(c *memcache.Client) error { return c.Add(item) })
}

// replace writes a record in the place of an item, if that is still there.
func (v *visit) replace(r record, value []byte, ttl time.Duration) (done bool, err error) {
	v.opts.fill(r.item, value, ttl)
	return v.write(func(c *memcache.Client) error { return c.CompareAndSwap(r.item) })
}

// delete deletes an item, if it is still there. The protocol's delete compares nothing: the item is replaced by one that has
// expired already.
func (v *visit) delete(r record) (done bool, err error) {
	r.item.Value, r.item.Expiration = nil, -1
	return v.write(func(c *memcache.Client) error { return c.CompareAndSwap(r.item) })
}

func (v *visit) write(command func(*memcache.Client) error) (done bool, err error) {
	if err := v.ctx.Err(); err != nil {
		return false, err
	}
	inTheWay, err := v.send(command)
	v.uncertain = v.uncertain || mayHaveRun(err)
	return err == nil && inTheWay == nil, err
}

// conflict is for a record that was not expected.
func (v *visit) conflict(r record) (sessionstore.Entry, error) {
	if v.uncertain {
		return sessionstore.Entry{}, errLost
	}
	return r.entry(), sessionstore.ErrConflict
}

// unavailable makes the error of a [sessionstore.Store].
func unavailable(err error) error {
	return fmt.Errorf("%w: memcached: %w", sessionstore.ErrUnavailable, err)
}
