// Package redis is the session store module for Redis and Valkey, with which several proxies share
// sessions.
package redis

import (
	"fmt"
	"strings"
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

// Module keeps the sessions in Redis 6.2 or later, or in Valkey: on one server, behind Sentinel, or
// in a Cluster. Caddy starts without it and reconnects by itself.
type Module struct {
	// The addresses, host:port: of the server, of the Sentinels if there is a master, or of some
	// nodes of the Cluster. Several addresses without a master mean a Cluster. A single address may
	// be a URL: redis://, rediss:// (TLS) or unix://, as in "redis://user:password@host:6379/0", or
	// the path of a Unix socket, also as unix//path. Placeholders such as {env.*} work here and in
	// the other strings; literal braces are written \{ and \}. Default: localhost:6379; with a
	// master, localhost:26379
	Addresses []string `json:"addresses,omitempty"`

	// The ACL user, who needs a password. Default: the default user
	Username string `json:"username,omitempty"`

	// The user's password. {file.*} reads it from a file.
	Password string `json:"password,omitempty"`

	// The database number. Default: 0. A Cluster has no other
	DB int `json:"db,omitempty"`

	// The name of the master that the Sentinels monitor.
	Master string `json:"master,omitempty"`

	// The user for the Sentinels themselves, if they require one. It needs sentinel_password.
	SentinelUsername string `json:"sentinel_username,omitempty"`

	// The password for the Sentinels themselves, if they require one. It needs master.
	SentinelPassword string `json:"sentinel_password,omitempty"`

	// Whether a single address is the node of a Cluster.
	Cluster bool `json:"cluster,omitempty"`

	// TLS for the connections to the servers.
	TLS *TLS `json:"tls,omitempty"`

	// The prefix of every key. Default: session:
	KeyPrefix *string `json:"key_prefix,omitempty"`

	// The maximum number of connections to a server. Default: 10 per CPU
	PoolSize int `json:"pool_size,omitempty"`

	// The timeout for connecting. Default: 300ms
	DialTimeout caddy.Duration `json:"dial_timeout,omitempty"`

	// The timeout for a reply. Default: 400ms
	ReadTimeout caddy.Duration `json:"read_timeout,omitempty"`

	// The timeout for sending a command. Default: 400ms
	WriteTimeout caddy.Duration `json:"write_timeout,omitempty"`

	// Whether concurrent requests share round trips. Default: true
	Pipelining *bool `json:"pipelining,omitempty"`

	// The number of replicas that must confirm a change before it counts as saved. Default: 0
	WaitReplicas int `json:"wait_replicas,omitempty"`

	// Copies of sessions in this process. The server reports when one changes. Only for a single
	// server and database 0. Default: none
	NearCache *NearCache `json:"near_cache,omitempty"`

	opts     redis.Options
	identity stores.Identity
	holder   *stores.Holder
}

// NearCache bounds the copies.
type NearCache struct {
	// The maximum number of copies. Default: 10000
	MaxEntries int `json:"max_entries,omitempty"`

	// The maximum memory of the copies in bytes. Default: 64 MiB
	MaxBytes int64 `json:"max_bytes,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (*Module) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.session.stores.redis", New: func() caddy.Module { return new(Module) }}
}

// defaultPrefix is the default prefix of keys. The keys of an app may have the same prefix: the
// form of a record tells whose it is.
const defaultPrefix = "session:"

// Provision implements [caddy.Provisioner]. It does not connect.
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

// Place implements [stores.Placed].
func (s *Module) Place() string {
	place := strings.Join(s.opts.Addrs, ",")
	if s.opts.Master != "" {
		place += " master " + s.opts.Master
	}
	if s.opts.DB != 0 {
		place += fmt.Sprint(" db ", s.opts.DB)
	}
	return stores.Prefixed(place, s.opts.KeyPrefix, s.KeyPrefix != nil)
}

// Open implements [stores.Module].
func (s *Module) Open() (sessionstore.Store, func(), error) {
	return s.share(s.identity, s.opts)
}

func (s *Module) share(id stores.Identity, opts redis.Options) (sessionstore.Store, func(), error) {
	return stores.ShareFor(s.holder, id, func(log stores.Log) (sessionstore.Store, error) {
		opts.OnState = stores.ReportServer(log, "redis is unreachable; retrying until it is back", "redis is back")
		opts.OnNearCache = func(addr string, err error) { reportNear(log(), addr, err) }
		return redis.Open(opts)
	}, nil)
}

// OpenShared implements [stores.Sharer]. Native and shared records differ only in the prefix.
func (s *Module) OpenShared(l layout.Layout, lifetime time.Duration) (sessionstore.Store, func(), error) {
	if _, err := stores.LayoutOf[layout.Redis](l, s.KeyPrefix != nil); err != nil {
		return nil, nil, err
	}
	opts := s.opts
	opts.KeyPrefix, opts.Endless = "", lifetime
	id := stores.Identity{Driver: "redis shared", Resource: config.Fingerprint(opts, s.TLS.sum())}
	return s.share(id, opts)
}

// reportNear logs that the near cache is off or works again.
func reportNear(log *zap.Logger, addr string, err error) {
	if err != nil {
		log.Warn("near_cache is off: redis refuses client-side caching; retrying until it works",
			zap.String("server", addr), zap.Error(err))
		return
	}
	log.Info("near_cache works again", zap.String("server", addr))
}
