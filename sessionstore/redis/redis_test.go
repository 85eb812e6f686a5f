package redis_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/redis"
	"github.com/caddy-session/caddy-session/sessionstore/storetest"
	"github.com/caddy-session/caddy-session/test/redistest"
)

// variants are the ways to use a server that must all keep the contract.
var variants = map[string]func(*redis.Options){
	"plain":      func(*redis.Options) {},
	"pipelining": func(o *redis.Options) { o.Pipelining = true },
	"near cache": func(o *redis.Options) { o.NearCache = new(redis.NearCache) },
	"both":       func(o *redis.Options) { o.Pipelining, o.NearCache = true, new(redis.NearCache) },
}

// last numbers the stores: each has keys of its own.
var last atomic.Int64

// suite runs the store suite.
func suite(t *testing.T, opts redis.Options) {
	open := func(t *testing.T, prefix string) sessionstore.Store {
		own := opts
		own.KeyPrefix = prefix
		s, err := redis.Open(own)
		if err != nil {
			t.Fatal(err)
		}
		return &store{s, prefix}
	}
	again := func(t *testing.T, s sessionstore.Store) sessionstore.Store { return open(t, s.(*store).prefix) }
	storetest.Run(t, storetest.Harness{
		New: func(t *testing.T) sessionstore.Store {
			return open(t, fmt.Sprintf("{%d}:", last.Add(1)))
		},
		Second: again,
		Reopen: again,
	})
}

type store struct {
	*redis.Store
	prefix string
}

func TestStore(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Options{})
	for name, set := range variants {
		t.Run(name, func(t *testing.T) {
			opts := redis.Options{Addrs: []string{server.Addr()}, PoolSize: 20}
			set(&opts)
			t.Parallel()
			suite(t, opts)
		})
	}
}
