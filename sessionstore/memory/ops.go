package memory

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// errFull means that a session must be evicted first.
var errFull = errors.New("full")

// Get implements [sessionstore.Store]. It allocates nothing.
func (s *Store) Get(ctx context.Context, key string) (sessionstore.Entry, error) {
	if err := ctx.Err(); err != nil {
		return sessionstore.Entry{}, err
	}
	now := s.clock()
	sh := s.shard(key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	it := s.live(sh, key, now)
	if it != nil {
		s.use(sh, it)
	}
	return it.entry(now), nil
}

// CompareAndSet implements [sessionstore.Store].
func (s *Store) CompareAndSet(ctx context.Context, key string, old, value []byte, ttl time.Duration) (sessionstore.Entry, error) {
	value = own(value)
	size := cost(key, value)
	for {
		if err := ctx.Err(); err != nil {
			return sessionstore.Entry{}, err
		}
		// Checked each time: the limit may be lowered meanwhile.
		if limit := s.maxBytes.Load(); size > limit {
			return sessionstore.Entry{}, fmt.Errorf("%w: the record takes %d bytes, and all sessions may take %d", sessionstore.ErrUnavailable, size, limit)
		}
		found, err := s.trySet(key, old, value, ttl, size)
		if err != errFull {
			return found, err
		}
		s.evict(key)
	}
}

// trySet is CompareAndSet, or [errFull].
func (s *Store) trySet(key string, old, value []byte, ttl time.Duration, size int64) (sessionstore.Entry, error) {
	now := s.clock()
	sh := s.shard(key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	it := s.live(sh, key, now)
	switch {
	case it == nil && old != nil:
		return sessionstore.Entry{}, sessionstore.ErrConflict
	case it == nil:
		if !s.reserve(1, size) {
			return sessionstore.Entry{}, errFull
		}
		it = sh.add(key)
	case !it.is(old):
		s.use(sh, it)
		if bytes.Equal(it.value, value) { // saved before, and the answer was lost
			return sessionstore.Entry{}, nil
		}
		return it.entry(now), sessionstore.ErrConflict
	default:
		s.use(sh, it) // who makes room for another record meanwhile must not evict this one
		if !s.reserve(0, size-cost(key, it.value)) {
			return sessionstore.Entry{}, errFull
		}
	}
	it.value = value
	it.deadline = deadline(now, ttl)
	s.use(sh, it)
	return sessionstore.Entry{}, nil
}

// CompareAndDelete implements [sessionstore.Store].
func (s *Store) CompareAndDelete(ctx context.Context, key string, old []byte) (sessionstore.Entry, error) {
	if err := ctx.Err(); err != nil {
		return sessionstore.Entry{}, err
	}
	now := s.clock()
	sh := s.shard(key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	it := s.live(sh, key, now)
	if it != nil && !it.is(old) {
		s.use(sh, it)
		return it.entry(now), sessionstore.ErrConflict
	}
	if it != nil {
		s.delete(sh, it)
	}
	return sessionstore.Entry{}, nil
}

// Touch implements [sessionstore.Store]. It takes effect at once.
func (s *Store) Touch(ctx context.Context, key string, old []byte, ttl time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	now := s.clock()
	sh := s.shard(key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if it := s.live(sh, key, now); it != nil && it.is(old) {
		it.deadline = deadline(now, ttl)
		s.use(sh, it)
	}
	return nil
}

// deadline returns when a time to live ends. It is never if the sum overflows.
func deadline(now, ttl time.Duration) time.Duration {
	if ttl > math.MaxInt64-now {
		return math.MaxInt64
	}
	return now + ttl
}

// own returns a value that is not nil, and a copy if it would keep a much larger buffer.
func own(value []byte) []byte {
	if value == nil {
		return []byte{}
	}
	if spare := cap(value) - len(value); spare > 64+len(value)/8 {
		return bytes.Clone(value)
	}
	return value
}
