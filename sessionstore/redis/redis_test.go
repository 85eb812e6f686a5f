package redis_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/internal/longtest"
	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/redis"
	"github.com/caddy-session/caddy-session/sessionstore/storetest"
	"github.com/caddy-session/caddy-session/test/redistest"
)

// suite runs the store suite.
func suite(t *testing.T, opts redis.Options) {
	open := func(t *testing.T, prefix string) sessionstore.Store {
		own := opts
		own.KeyPrefix = prefix
		own.DialTimeout, own.ReadTimeout, own.WriteTimeout = patience, patience, patience
		s, err := redis.Open(own)
		if err != nil {
			t.Fatal(err)
		}
		return &prefixed{s, prefix}
	}
	again := func(t *testing.T, s sessionstore.Store) sessionstore.Store { return open(t, s.(*prefixed).prefix) }
	storetest.Run(t, storetest.Harness{
		New: func(t *testing.T) sessionstore.Store {
			return open(t, fmt.Sprintf("%d:", last.Add(1)))
		},
		Second: again,
		Reopen: again,
		Tick:   200 * time.Millisecond, // the machine may be busy
	})
}

type prefixed struct {
	*redis.Store
	prefix string
}

// calm servers do not take a busy machine for a dead one.
var calm = redistest.Options{DownAfter: time.Minute, NodeTimeout: time.Minute}

func TestStore(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Options{})
	for name, set := range variants {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name != "plain" {
				longtest.Test(t)
			}
			opts := redis.Options{Addrs: []string{server.Addr()}, PoolSize: 20}
			set(&opts)
			suite(t, opts)
		})
	}
}

func TestStoreBehindSentinel(t *testing.T) {
	longtest.Test(t)
	t.Parallel()
	set := redistest.StartSentinel(t, calm)
	opts := redis.Options{Addrs: set.Addrs(), Master: set.MasterName, PoolSize: 20}
	eachWay(t, func(t *testing.T, o redis.Options) {
		o.Addrs, o.Master, o.PoolSize = opts.Addrs, opts.Master, opts.PoolSize
		suite(t, o)
	})
	t.Run("wait_replicas", func(t *testing.T) {
		t.Parallel()
		opts.WaitReplicas = 2
		suite(t, opts)
	})
}

func TestStoreInACluster(t *testing.T) {
	longtest.Test(t)
	t.Parallel()
	cluster := redistest.StartCluster(t, calm)
	eachWay(t, func(t *testing.T, o redis.Options) {
		o.PoolSize = 20
		suite(t, at(o, cluster.Addrs()...))
	})
	t.Run("wait_replicas", func(t *testing.T) {
		t.Parallel()
		suite(t, redis.Options{Addrs: cluster.Addrs(), PoolSize: 20, WaitReplicas: 1})
	})
}
