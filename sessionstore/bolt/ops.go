package bolt

import (
	"bytes"
	"context"
	"errors"
	"time"

	bbolt "go.etcd.io/bbolt"

	"github.com/caddy-session/caddy-session/sessionstore"
)

var errSize = errors.New("a key or a record is too large, or a key is empty")

// Get implements [sessionstore.Store]. It takes the record out of the cache, or copies
// it out of the map of the file, and waits for no writer.
func (s *Store) Get(ctx context.Context, key string) (sessionstore.Entry, error) {
	f, err := s.file(ctx)
	if err != nil {
		return sessionstore.Entry{}, s.unavailable(err)
	}
	if err := s.place.Glance(); err != nil {
		return sessionstore.Entry{}, s.unavailable(err)
	}
	now := s.now()
	r, known, ends := f.cache.get(key)
	if known {
		return r.live(now).entry(now), nil
	}
	err = f.view(func(b *bbolt.Bucket) (err error) {
		r, err = readRecord(b.Get([]byte(key)), now)
		r.value = bytes.Clone(r.value)
		return err
	})
	if err != nil {
		return sessionstore.Entry{}, s.unavailable(err)
	}
	if r.value != nil {
		f.cache.learn(key, r, ends)
	}
	return r.entry(now), nil
}

// CompareAndSet implements [sessionstore.Store].
func (s *Store) CompareAndSet(ctx context.Context, key string, old, value []byte, ttl time.Duration) (sessionstore.Entry, error) {
	return s.do(ctx, &op{kind: setOp, key: key, old: old, value: value, ttl: ttl})
}

// CompareAndDelete implements [sessionstore.Store].
func (s *Store) CompareAndDelete(ctx context.Context, key string, old []byte) (sessionstore.Entry, error) {
	return s.do(ctx, &op{kind: deleteOp, key: key, old: old})
}

// Touch implements [sessionstore.Store]. It is written with the next change, or
// alone after 50 milliseconds.
func (s *Store) Touch(ctx context.Context, key string, old []byte, ttl time.Duration) error {
	if _, err := s.file(ctx); err != nil {
		return s.unavailable(err)
	}
	if err := s.touches.add(key, touch{old: old, deadline: deadline(s.now(), ttl)}, s.flush); err != nil {
		return s.unavailable(err)
	}
	return nil
}

// do has a change made in some transaction.
func (s *Store) do(ctx context.Context, o *op) (sessionstore.Entry, error) {
	if len(o.key) == 0 || len(o.key) > sessionstore.MaxKey || len(o.value) > sessionstore.MaxValue {
		return sessionstore.Entry{}, s.unavailable(errSize) // would end the transaction of others too
	}
	f, err := s.file(ctx)
	if err != nil {
		return sessionstore.Entry{}, s.unavailable(err)
	}
	// Beyond this line o is the transaction's, until Do returns nil.
	if err := f.commits.Do(ctx, o); err != nil {
		return sessionstore.Entry{}, s.unavailable(err)
	}
	return o.found, o.err
}

// now returns the time in milliseconds.
func (s *Store) now() int64 { return s.o.Now().UnixMilli() }
