// Package redis stores sessions in Redis 6.2 or later, or in Valkey: on one server, behind
// Sentinel, or in a Cluster.
//
// Every operation is one Lua script on one key, so one round trip. A read from the near cache takes
// none.
package redis

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/caddy-session/caddy-session/internal/remote"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// Store is a [sessionstore.Store] in Redis. It is as durable as the server: a change is reported as
// saved when the master has it, and, with [Options.WaitReplicas], when that many replicas have it
// too.
type Store struct {
	opts   Options
	client goredis.UniversalClient

	pipelines pipelines
	near      *nearCache

	// replicasUntil is the time, on the clock of [now], until which all connections are assumed to
	// lead to replicas.
	replicasUntil atomic.Int64
}

// Open returns a store. It does no I/O: while a server is unreachable, each operation returns an
// error.
func Open(opts Options) (*Store, error) {
	if err := opts.complete(); err != nil {
		return nil, err
	}
	s := &Store{opts: opts}
	client, guard := opts.client()
	s.client = client
	if cluster, ok := client.(*goredis.ClusterClient); ok {
		cluster.OnNewNode(func(*goredis.Client) { s.pipelines.forget() })
	}
	if opts.NearCache != nil {
		s.near = newNearCache(s, guard.breaker)
	}
	return s, nil
}

// conn returns the client to use: that of the near cache if it is on.
func (s *Store) conn() goredis.UniversalClient {
	if s.near != nil {
		if c := s.near.current(); c != nil {
			return c.client
		}
	}
	return s.client
}

// Get implements [sessionstore.Store]. It reads the record and its time to live atomically.
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
	reply, err := s.run(ctx, setScript, key, was.how, was.bytes, matcherOf(value).how, value, remote.Milliseconds(ttl))
	return s.written(key, reply, err, sessionstore.Entry{Value: value, TTL: ttl})
}

// CompareAndDelete implements [sessionstore.Store].
func (s *Store) CompareAndDelete(ctx context.Context, key string, old []byte) (sessionstore.Entry, error) {
	key = s.opts.KeyPrefix + key
	was := matcherOf(old)
	script := deleteScript
	if s.opts.WaitReplicas > 0 {
		script = deleteForReplicas
	}
	reply, err := s.run(ctx, script, key, was.how, was.bytes)
	return s.written(key, reply, err, sessionstore.Entry{})
}

// written interprets the reply to a write: 1 on success, otherwise the record that is there. now is
// the record after a success.
func (s *Store) written(key string, reply any, err error, now sessionstore.Entry) (sessionstore.Entry, error) {
	var found sessionstore.Entry
	if err == nil && reply != int64(1) {
		if found, err = s.opts.entry(reply); err == nil {
			now, err = found, sessionstore.ErrConflict
		}
	}
	if s.near != nil {
		if err != nil && !errors.Is(err, sessionstore.ErrConflict) {
			now = sessionstore.Entry{} // the outcome is unknown
		}
		s.near.wrote(key, now)
	}
	return found, err
}

// Touch implements [sessionstore.Store].
func (s *Store) Touch(ctx context.Context, key string, old []byte, ttl time.Duration) error {
	key = s.opts.KeyPrefix + key
	was := matcherOf(old)
	reply, err := s.run(ctx, touchScript, key, was.how, was.bytes, remote.Milliseconds(ttl))
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

// Interface guard
var _ sessionstore.Store = (*Store)(nil)
