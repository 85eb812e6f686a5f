// Package redis keeps sessions in Redis 6.2 or later, or in Valkey: on one server, behind
// Sentinel, or in a Cluster.
//
// Every operation is one command, a Lua script that touches one key, and so one round trip. A read that the near
// cache answers takes none.
package redis

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// Store is a [sessionstore.Store] in Redis. What is true of its durability is what is true of the server's:
// a change is answered when the master has it, and with [Options.WaitReplicas] when so many replicas have it too.
type Store struct {
	opts   Options
	client goredis.UniversalClient

	pipelines pipelines
	near      *nearCache

	// replicasUntil is until when all connections are taken to lead to replicas, on the clock of now.
	replicasUntil atomic.Int64
}

// Open makes the store. It does no I/O: a server that is out of reach is an error of
// each operation, for as long as it is.
func Open(opts Options) (*Store, error) {
	if err := opts.complete(); err != nil {
		return nil, err
	}
	s := &Store{opts: opts}
	client, guard := opts.client()
	s.client = client
	if opts.NearCache != nil {
		s.near = newNearCache(s, guard.breaker)
	}
	return s, nil
}

// conn returns the client to use: that of the near cache, while there is one.
func (s *Store) conn() goredis.UniversalClient {
	if s.near != nil {
		if c := s.near.copies(); c != nil {
			return c.client
		}
	}
	return s.client
}

// Get implements [sessionstore.Store]. The record and its time to live are read together.
func (s *Store) Get(ctx context.Context, key string) (sessionstore.Entry, error) {
	key = s.opts.KeyPrefix + key
	var writes uint64
	if s.near != nil {
		var known nearRecord
		var ok bool
		if known, ok, writes = s.near.begin(key); ok {
			if e, ok := s.near.get(ctx, key, known); ok {
				return e, nil
			}
		}
	}
	reply, err := s.run(ctx, getScript, key)
	if err != nil {
		return sessionstore.Entry{}, err
	}
	e, err := s.opts.entry(reply)
	if s.near != nil && err == nil {
		s.near.read(key, e, writes)
	}
	return e, err
}

// CompareAndSet implements [sessionstore.Store].
func (s *Store) CompareAndSet(ctx context.Context, key string, old, value []byte, ttl time.Duration) (sessionstore.Entry, error) {
	key = s.opts.KeyPrefix + key
	was := none
	if old != nil {
		was = matcherOf(old)
	}
	reply, err := s.run(ctx, setScript, key, was.how, was.bytes, matcherOf(value).how, value, milliseconds(ttl))
	return s.written(key, reply, err, sessionstore.Entry{Value: value, TTL: ttl})
}

// CompareAndDelete implements [sessionstore.Store].
func (s *Store) CompareAndDelete(ctx context.Context, key string, old []byte) (sessionstore.Entry, error) {
	key = s.opts.KeyPrefix + key
	was := matcherOf(old)
	reply, err := s.run(ctx, deleteScript, key, was.how, was.bytes)
	return s.written(key, reply, err, sessionstore.Entry{})
}

// written reads the reply to a write: 1 if it was made, or else what is there. On success, now is what is there.
func (s *Store) written(key string, reply any, err error, now sessionstore.Entry) (sessionstore.Entry, error) {
	var found sessionstore.Entry
	if err == nil && reply != int64(1) {
		if found, err = s.opts.entry(reply); err == nil {
			now, err = found, sessionstore.ErrConflict
		}
	}
	if s.near != nil {
		if err != nil && !errors.Is(err, sessionstore.ErrConflict) {
			now = sessionstore.Entry{} // it may have happened or not
		}
		s.near.wrote(key, now)
	}
	return found, err
}

// Touch implements [sessionstore.Store].
func (s *Store) Touch(ctx context.Context, key string, old []byte, ttl time.Duration) error {
	key = s.opts.KeyPrefix + key
	was := matcherOf(old)
	reply, err := s.run(ctx, touchScript, key, was.how, was.bytes, milliseconds(ttl))
	if s.near != nil && err == nil && reply == int64(1) {
		s.near.wrote(key, sessionstore.Entry{Value: old, TTL: ttl})
	}
	return err
}

// Close implements [sessionstore.Store].
func (s *Store) Close() error {
	if s.near == nil {
		return s.client.Close()
	}
	return errors.Join(s.near.close(), s.client.Close())
}

// milliseconds rounds up: a record lives at least for as long as was asked.
func milliseconds(d time.Duration) int64 {
	return int64((d + time.Millisecond - 1) / time.Millisecond)
}

// Interface guard
var _ sessionstore.Store = (*Store)(nil)
