// Package memcached is the session store module for memcached, with which several proxies share
// sessions.
package memcached

import (
	"fmt"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-session/caddy-session/caddymodule/stores"
	"github.com/caddy-session/caddy-session/internal/config"
	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/layout"
	"github.com/caddy-session/caddy-session/sessionstore/memcached"
)

func init() { caddy.RegisterModule(new(Module)) }

// Module keeps the sessions in memcached, on one server or spread over several. Memcached is a
// cache: a server loses sessions when it restarts or runs out of memory. Caddy starts without it
// and reconnects by itself.
type Module struct {
	// The addresses of the servers: host:port, or the path of a Unix socket, also as unix//path.
	// Proxies that share sessions must list the same servers, in any order. An app's sessions can
	// be shared on one server only. Placeholders such as {env.*} work here and in the prefix.
	// Default: localhost:11211
	Addresses []string `json:"addresses,omitempty"`

	// The prefix of every key, at most 50 bytes. Default: session:
	KeyPrefix *string `json:"key_prefix,omitempty"`

	// The timeout for connecting, and for a reply. Default: 400ms
	Timeout caddy.Duration `json:"timeout,omitempty"`

	// The maximum number of connections to a server. Default: 10 per CPU
	PoolSize int `json:"pool_size,omitempty"`

	opts     memcached.Options
	identity stores.Identity
	holder   *stores.Holder
}

const (
	defaultAddress = "localhost"
	defaultPort    = "11211"

	// defaultPrefix is the default prefix of keys. The keys of an app may have the same prefix: the
	// form of a record tells whose it is.
	defaultPrefix = "session:"
)

// CaddyModule returns the Caddy module information.
func (*Module) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.session.stores.memcached", New: func() caddy.Module { return new(Module) }}
}

// Provision implements [caddy.Provisioner]. It does not connect.
func (s *Module) Provision(ctx caddy.Context) error {
	s.holder = stores.NewHolder(ctx)
	if err := s.block().Check(); err != nil {
		return fmt.Errorf("store memcached: %w", err)
	}
	var err error
	if s.opts, err = s.options(); err != nil {
		return fmt.Errorf("store memcached: %w", err)
	}
	if err := s.opts.Check(); err != nil {
		return fmt.Errorf("store %w", err)
	}
	s.identity = stores.Identity{Driver: "memcached", Resource: config.Fingerprint(s.opts)}
	return nil
}

// options returns the options with placeholders replaced.
func (s *Module) options() (memcached.Options, error) {
	opts := memcached.Options{Timeout: time.Duration(s.Timeout), PoolSize: s.PoolSize}
	var err error
	if opts.KeyPrefix, err = config.Resolve("key_prefix", config.Or(s.KeyPrefix, defaultPrefix)); err != nil {
		return opts, err
	}
	addresses := s.Addresses
	if len(addresses) == 0 {
		addresses = []string{defaultAddress}
	}
	for _, from := range addresses {
		// The address may contain a password, which memcached does not support.
		const otherwise = "the path of a socket; memcached has no users and passwords"
		address, err := config.Resolve("address", from)
		if err != nil {
			return opts, err
		}
		if address, err = config.Address(address, defaultPort, otherwise); err != nil {
			return opts, err
		}
		opts.Addrs = append(opts.Addrs, address)
	}
	return opts, nil
}

// Place implements [stores.Placed].
func (s *Module) Place() string {
	return stores.Prefixed(strings.Join(s.opts.Addrs, ","), s.opts.KeyPrefix, s.KeyPrefix != nil)
}

// Open implements [stores.Module].
func (s *Module) Open() (sessionstore.Store, func(), error) {
	return s.share(s.identity, s.opts)
}

func (s *Module) share(id stores.Identity, opts memcached.Options) (sessionstore.Store, func(), error) {
	return stores.ShareFor(s.holder, id, func(log stores.Log) (sessionstore.Store, error) {
		opts.OnState = stores.ReportServer(log, "memcached is unreachable; retrying until it is back", "memcached is back")
		return memcached.Open(opts)
	}, nil)
}

// OpenShared implements [stores.Sharer]. It allows one server only: with several, the app's client
// chooses in its own way.
func (s *Module) OpenShared(l layout.Layout, lifetime time.Duration) (sessionstore.Store, func(), error) {
	is, err := stores.LayoutOf[layout.Memcached](l, s.KeyPrefix != nil)
	if err != nil {
		return nil, nil, err
	}
	opts := s.opts
	opts.KeyPrefix, opts.Layout, opts.Lifetime = "", &is, lifetime
	if err := opts.Check(); err != nil {
		return nil, nil, fmt.Errorf("store %w", err)
	}
	id := stores.Identity{Driver: "memcached", Resource: config.Fingerprint(opts)}
	return s.share(id, opts)
}

// UnmarshalCaddyfile sets up the store from Caddyfile tokens. Syntax:
//
//	store memcached [<address>...] {
//		key_prefix <prefix>
//		timeout    <duration>
//		pool_size  <connections>
//	}
func (s *Module) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // skip the module's name
	s.Addresses = append(s.Addresses, d.RemainingArgs()...)
	return s.block().Read(d, "store memcached")
}

func (s *Module) block() config.Options {
	return config.Options{
		"addresses":  config.Argument("store memcached <address>..."),
		"key_prefix": config.Given(&s.KeyPrefix, config.Text),
		"timeout":    config.Duration(&s.Timeout),
		"pool_size":  config.Number(&s.PoolSize, 1),
	}
}

// Remote implements [stores.OnServers].
func (s *Module) Remote() bool {
	opts, err := s.options()
	return err != nil || stores.AnyRemote(opts.Addrs)
}

// Interface guards
var (
	_ caddy.Provisioner     = (*Module)(nil)
	_ stores.Sharer         = (*Module)(nil)
	_ stores.Placed         = (*Module)(nil)
	_ stores.OnServers      = (*Module)(nil)
	_ caddyfile.Unmarshaler = (*Module)(nil)
)
