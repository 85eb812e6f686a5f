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

// Get implements [sessionstore.Store]. It returns the record from the cache, or a copy from the
// memory map, and does not wait for writers.
func (s *Store) Get(ctx context.Context, key string) (sessionstore.Entry, error) {
	f, err := s.file(ctx)
	if err != nil {
		return sessionstore.Entry{}, s.unavailable(err)
	}
	if err := s.place.Glance(); err != nil {
		return sessionstore.Entry{}, s.unavailable(err)
	}
	now := s.now()
	r, cached, commits := f.cache.get(key)
	if cached {
		return r.live(now).entry(now), nil
	}
	if r, err = f.read(key, now); err != nil {
		return sessionstore.Entry{}, s.unavailable(err)
	}
	if r.value != nil {
		f.cache.add(key, r, commits)
	}
	return r.entry(now), nil
}

// read returns a copy of the record in the file.
func (f *file) read(key string, now int64) (r record, err error) {
	err = f.view(func(b *bbolt.Bucket) (err error) {
		r, err = readRecord(b.Get([]byte(key)), now)
		r.value = bytes.Clone(r.value)
		return err
	})
	return r, err
}

// CompareAndSet implements [sessionstore.Store].
func (s *Store) CompareAndSet(ctx context.Context, key string, old, value []byte, ttl time.Duration) (sessionstore.Entry, error) {
	return s.do(ctx, &op{kind: setOp, key: key, old: old, value: value, ttl: ttl})
}

// CompareAndDelete implements [sessionstore.Store].
func (s *Store) CompareAndDelete(ctx context.Context, key string, old []byte) (sessionstore.Entry, error) {
	return s.do(ctx, &op{kind: deleteOp, key: key, old: old})
}

// Touch implements [sessionstore.Store]. It returns at once. The touch is written with the next
// change, or after 50 milliseconds.
func (s *Store) Touch(ctx context.Context, key string, old []byte, ttl time.Duration) error {
	if _, err := s.file(ctx); err != nil {
		return s.unavailable(err)
	}
	if err := s.touches.add(key, touch{old: old, deadline: deadline(s.now(), ttl)}, s.flush); err != nil {
		return s.unavailable(err)
	}
	return nil
}

// do makes a change, in a transaction with others.
func (s *Store) do(ctx context.Context, o *op) (sessionstore.Entry, error) {
	if len(o.key) == 0 || len(o.key) > sessionstore.MaxKey || len(o.value) > sessionstore.MaxValue {
		return sessionstore.Entry{}, s.unavailable(errSize) // would fail the whole transaction
	}
	f, err := s.file(ctx)
	if err != nil {
		return sessionstore.Entry{}, s.unavailable(err)
	}
	// From here on, o belongs to the transaction until Do returns nil.
	if err := f.commits.Do(ctx, o); err != nil {
		return sessionstore.Entry{}, s.unavailable(err)
	}
	return o.found, o.err
}

// now returns the time in milliseconds.
func (s *Store) now() int64 { return s.o.Now().UnixMilli() }
