// Package redis is the session store module that keeps sessions in Redis or Valkey, so that many proxies share them.
package redis

import (
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/caddy-session/caddy-session/caddymodule/stores"
	"github.com/caddy-session/caddy-session/internal/config"
	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/layout"
	"github.com/caddy-session/caddy-session/sessionstore/redis"
)

func init() { caddy.RegisterModule(new(Module)) }

// Module keeps the sessions in Redis 6.2 or later, or in Valkey: on one server, behind Sentinel, or in a Cluster. Caddy starts
// without it, and recovers by itself when it returns.
type Module struct {
	// The addresses, host:port: of the server, of the Sentinels if there is a master, or of some nodes of the Cluster;
	// several without a master mean a Cluster. One may be a URL: redis://, rediss:// (TLS) or unix://, as
	// "redis://user:password@host:6379/0", or the path of a Unix socket, also as unix//path. Placeholders such as {env.*} work here
	// and in the other strings; braces that are none are written \{ and \}.
	// Default: localhost:6379; with a master, localhost:26379
	Addresses []string `json:"addresses,omitempty"`

	// The ACL user. Default: the default user
	Username string `json:"username,omitempty"`

	// The user's password. {file.*} reads it from a file.
	Password string `json:"password,omitempty"`

	// The number of the database. Default: 0, the only one that a Cluster has
	DB int `json:"db,omitempty"`

	// The name under which the Sentinels know the master.
	Master string `json:"master,omitempty"`

	// The user and the password for the Sentinels themselves, if they ask for any.
	SentinelUsername string `json:"sentinel_username,omitempty"`
	SentinelPassword string `json:"sentinel_password,omitempty"`

	// Whether the server is a node of a Cluster, where there is one address only.
	Cluster bool `json:"cluster,omitempty"`

	// TLS to the servers.
	TLS *TLS `json:"tls,omitempty"`

	// What comes before the key of every session. Default: session:
	KeyPrefix *string `json:"key_prefix,omitempty"`

	// How many connections there are to a server at most. Default: 10 for each processor
	PoolSize int `json:"pool_size,omitempty"`

	// How long connecting may take. Default: 300ms
	DialTimeout caddy.Duration `json:"dial_timeout,omitempty"`

	// How long a reply may take. Default: 400ms
	ReadTimeout caddy.Duration `json:"read_timeout,omitempty"`

	// How long sending a command may take. Default: 400ms
	WriteTimeout caddy.Duration `json:"write_timeout,omitempty"`

	// Whether concurrent requests share round trips. Default: true
	Pipelining *bool `json:"pipelining,omitempty"`

	// How many replicas must have a change before it is answered. Default: 0
	WaitReplicas int `json:"wait_replicas,omitempty"`

	// Copies of sessions in this process, which the server has it drop when they change. For one server with database 0.
	// Default: none
	NearCache *NearCache `json:"near_cache,omitempty"`

	opts     redis.Options
	identity stores.Identity
	holder   *stores.Holder
}

// NearCache bounds the copies.
type NearCache struct {
	// How many sessions there are copies of at most. Default: 10000
	MaxEntries int `json:"max_entries,omitempty"`

	// How much memory they take at most, in bytes. Default: 64 MiB
	MaxBytes int64 `json:"max_bytes,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (*Module) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.session.stores.redis", New: func() caddy.Module { return new(Module) }}
}

// defaultPrefix is what keys begin with. Those of an app may begin with it too: records are told apart by their form.
const defaultPrefix = "session:"

// Provision implements [caddy.Provisioner]. It connects to nothing.
func (s *Module) Provision(ctx caddy.Context) error {
	s.holder = stores.NewHolder(ctx)
	if err := s.block().Check(); err != nil {
		return fmt.Errorf("store redis: %w", err)
	}
	opts, err := s.options()
	if err != nil {
		return fmt.Errorf("store redis: %w", err)
	}
	if err := opts.Check(); err != nil {
		return fmt.Errorf("store %w", err)
	}
	s.opts = opts
	s.identity = stores.Identity{Driver: "redis", Resource: config.Fingerprint(opts, s.TLS.sum())}
	return nil
}

// Open implements [stores.Module].
func (s *Module) Open() (sessionstore.Store, func(), error) {
	return s.share(s.identity, s.opts)
}

func (s *Module) share(id stores.Identity, opts redis.Options) (sessionstore.Store, func(), error) {
	return stores.ShareFor(s.holder, id, func(log stores.Log) (sessionstore.Store, error) {
		opts.OnState = func(addr string, err error) { report(log(), addr, err) }
		opts.OnNearCache = func(addr string, err error) { reportNear(log(), addr, err) }
		return redis.Open(opts)
	}, nil)
}

// OpenShared implements [stores.Sharer]. Only the prefix differs.
func (s *Module) OpenShared(l layout.Layout, lifetime time.Duration) (sessionstore.Store, func(), error) {
	if _, err := stores.LayoutOf[layout.Redis](l, s.KeyPrefix != nil); err != nil {
		return nil, nil, err
	}
	opts := s.opts
	opts.KeyPrefix, opts.Endless = "", lifetime
	id := stores.Identity{Driver: "redis shared", Resource: config.Fingerprint(opts, s.TLS.sum())}
	return s.share(id, opts)
}

// report logs that a server has gone or come back.
func report(log *zap.Logger, addr string, err error) {
	if err != nil {
		log.Error("redis is out of reach; it is tried again until it is back", zap.String("server", addr), zap.Error(err))
		return
	}
	log.Info("redis is back", zap.String("server", addr))
}

// reportNear logs that the near cache does not work, or works again.
func reportNear(log *zap.Logger, addr string, err error) {
	if err != nil {
		log.Warn("near_cache is off, as redis refuses to tell of changes; it is tried again until it works",
			zap.String("server", addr), zap.Error(err))
		return
	}
	log.Info("near_cache works again", zap.String("server", addr))
}
