package moving_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/internal/longtest"
	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/bolt"
	"github.com/caddy-session/caddy-session/sessionstore/file"
	"github.com/caddy-session/caddy-session/sessionstore/memory"
	"github.com/caddy-session/caddy-session/sessionstore/moving"
	"github.com/caddy-session/caddy-session/sessionstore/redis"
	"github.com/caddy-session/caddy-session/sessionstore/sql"
	"github.com/caddy-session/caddy-session/sessionstore/sql/sqlite"
	"github.com/caddy-session/caddy-session/sessionstore/storetest"
	"github.com/caddy-session/caddy-session/test/redistest"
)

// sides are two stores, with handles for several processes where stores have them.
type sides struct {
	sessionstore.Store
	from, to sessionstore.Store
}

// inTurns is two processes, one that moves and one that holds. Each operation goes to the next one.
// So most records are created in the old store, and met there by the other.
type inTurns struct {
	moves, holds sessionstore.Store
	n            *atomic.Uint32
}

func (s inTurns) next() sessionstore.Store {
	if s.n.Add(1)%2 == 0 {
		return s.moves
	}
	return s.holds
}

func (s inTurns) Get(ctx context.Context, key string) (sessionstore.Entry, error) {
	return s.next().Get(ctx, key)
}

func (s inTurns) CompareAndSet(ctx context.Context, key string, old, value []byte, ttl time.Duration) (sessionstore.Entry, error) {
	return s.next().CompareAndSet(ctx, key, old, value, ttl)
}

func (s inTurns) CompareAndDelete(ctx context.Context, key string, old []byte) (sessionstore.Entry, error) {
	return s.next().CompareAndDelete(ctx, key, old)
}

func (s inTurns) Touch(ctx context.Context, key string, old []byte, ttl time.Duration) error {
	return s.next().Touch(ctx, key, old, ttl)
}

func (s inTurns) Walk(ctx context.Context, prefix, after string, limit int) (sessionstore.Page, error) {
	return s.moves.(sessionstore.Walker).Walk(ctx, prefix, after, limit)
}

func (s inTurns) Close() error { return nil }

// ways are the ways to configure the store.
var ways = map[string]func(from, to sessionstore.Store) sessionstore.Store{
	"moving": func(from, to sessionstore.Store) sessionstore.Store { return moving.New(from, to, false) },
	"hold":   func(from, to sessionstore.Store) sessionstore.Store { return moving.New(from, to, true) },
	"both": func(from, to sessionstore.Store) sessionstore.Store {
		return inTurns{moving.New(from, to, false), moving.New(from, to, true), new(atomic.Uint32)}
	},
}

// suite runs the suite of all stores over two, in each of the ways.
func suite(t *testing.T, advance func(time.Duration), from, to func(t *testing.T) sessionstore.Store, names ...string) {
	for _, way := range names {
		t.Run(way, func(t *testing.T) {
			opened := func(from, to sessionstore.Store) sessionstore.Store {
				s := sides{Store: ways[way](from, to), from: from, to: to}
				return walks{s, s.Store.(sessionstore.Walker)}
			}
			storetest.Run(t, storetest.Harness{
				New: func(t *testing.T) sessionstore.Store {
					return opened(from(t), to(t))
				},
				// The other process moves, or holds.
				Second: func(_ *testing.T, s sessionstore.Store) sessionstore.Store {
					w := s.(walks)
					return moving.New(w.from, w.to, way == "moving")
				},
				Advance: advance,
				Keys:    500,
			})
		})
	}
}

type walks struct {
	sides
	sessionstore.Walker
}

// closing closes a store after the test.
func closing(t *testing.T, s sessionstore.Store) sessionstore.Store {
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestStore(t *testing.T) {
	t.Parallel()
	var passed atomic.Int64
	now := func() time.Time { return time.Unix(1e9, 0).Add(time.Duration(passed.Load())) }
	advance := func(d time.Duration) { passed.Add(int64(d)) }
	inMemory := func(t *testing.T) sessionstore.Store { return closing(t, memory.New(memory.Options{Now: now})) }
	t.Run("memory to memory", func(t *testing.T) { suite(t, advance, inMemory, inMemory, "hold", "both") })
	t.Run("memory to bolt", func(t *testing.T) {
		longtest.Test(t)
		suite(t, advance, inMemory, func(t *testing.T) sessionstore.Store {
			return closing(t, bolt.Open(bolt.Options{Path: filepath.Join(t.TempDir(), "sessions.db"), Now: now}))
		}, "moving")
	})
}

func TestFileToSQLite(t *testing.T) {
	longtest.Test(t)
	t.Parallel()
	suite(t, nil,
		func(t *testing.T) sessionstore.Store {
			return closing(t, file.Open(file.Options{Dir: filepath.Join(t.TempDir(), "sessions")}))
		},
		func(t *testing.T) sessionstore.Store {
			s, err := sql.Open(sqlite.Driver, filepath.Join(t.TempDir(), "sessions.db"), sql.Options{CreateTable: true})
			if err != nil {
				t.Fatal(err)
			}
			return closing(t, s)
		}, "both")
}

func TestRedisToAnotherPrefix(t *testing.T) {
	longtest.Test(t)
	t.Parallel()
	server := redistest.Start(t, redistest.Options{})
	var last atomic.Uint32
	open := func(t *testing.T) sessionstore.Store {
		return onRedis(t, server, fmt.Sprintf("%d:", last.Add(1)), nil)
	}
	suite(t, nil, open, open, "both")
}

// TestBoltToRedis has a near cache too, whose copies are older than marks.
func TestBoltToRedis(t *testing.T) {
	longtest.Test(t)
	t.Parallel()
	server := redistest.Start(t, redistest.Options{})
	var last atomic.Uint32
	suite(t, nil,
		func(t *testing.T) sessionstore.Store {
			return closing(t, bolt.Open(bolt.Options{Path: filepath.Join(t.TempDir(), "sessions.db")}))
		},
		func(t *testing.T) sessionstore.Store {
			return onRedis(t, server, fmt.Sprintf("%d:", last.Add(1)), new(redis.NearCache))
		}, "both")
}

func onRedis(t *testing.T, server *redistest.Server, prefix string, near *redis.NearCache) sessionstore.Store {
	const patience = time.Minute // the machine may be busy
	s, err := redis.Open(redis.Options{
		Addrs: []string{server.Addr()}, KeyPrefix: prefix, PoolSize: 20, NearCache: near,
		DialTimeout: patience, ReadTimeout: patience, WriteTimeout: patience,
	})
	if err != nil {
		t.Fatal(err)
	}
	return closing(t, s)
}
