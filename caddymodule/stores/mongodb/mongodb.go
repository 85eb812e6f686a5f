// Package mongodb is the session store module for a MongoDB collection, with which several proxies
// share sessions.
package mongodb

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/caddy-session/caddy-session/caddymodule/stores"
	"github.com/caddy-session/caddy-session/internal/config"
	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/layout"
	"github.com/caddy-session/caddy-session/sessionstore/mongodb"
)

func init() { caddy.RegisterModule(new(Module)) }

// Module keeps the sessions in a collection of MongoDB 4.4 or later. Caddy starts without it and
// reconnects by itself.
type Module struct {
	// The URI of the database: "mongodb://user:password@host:27017/?replicaSet=name" or
	// "mongodb+srv://…", with the options of MongoDB's drivers, such as tls=true. Placeholders such
	// as {env.*} and {file.*} work here and in the other strings.
	URI string `json:"uri,omitempty"`

	// The name of the database. Default: caddy; with a dialect, the default of the app's framework
	Database string `json:"database,omitempty"`

	// The name of the collection. Default: sessions
	Collection string `json:"collection,omitempty"`

	// Whether to create the TTL index with which the server deletes expired sessions, and again
	// within an hour if the collection was dropped. An existing index is never changed, and the
	// collection of an app never gets one. Default: true
	CreateIndex *bool `json:"create_index,omitempty"`

	// The prefix of every key, at most 200 bytes. Default: empty
	KeyPrefix string `json:"key_prefix,omitempty"`

	// The maximum number of connections to a server. Default: maxPoolSize of a mongodb:// URI, or
	// 100
	PoolSize int `json:"pool_size,omitempty"`

	// The timeout for connecting and for finding a writable server. Default: 600ms
	DialTimeout caddy.Duration `json:"dial_timeout,omitempty"`

	// The timeout for a reply. Default: 800ms
	Timeout caddy.Duration `json:"timeout,omitempty"`

	uri    string
	opts   mongodb.Options
	holder *stores.Holder
}

// CaddyModule returns the Caddy module information.
func (*Module) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.session.stores.mongodb", New: func() caddy.Module { return new(Module) }}
}

// Provision implements [caddy.Provisioner]. It does not connect.
func (s *Module) Provision(ctx caddy.Context) error {
	s.holder = stores.NewHolder(ctx)
	if err := s.block().Check(); err != nil {
		return fmt.Errorf("store mongodb: %w", err)
	}
	s.opts = mongodb.Options{
		CreateIndex: config.Or(s.CreateIndex, true),
		PoolSize:    s.PoolSize, DialTimeout: time.Duration(s.DialTimeout), Timeout: time.Duration(s.Timeout),
	}
	err := config.ResolveAll(
		config.From("uri", s.URI, &s.uri),
		config.From("database", s.Database, &s.opts.Database),
		config.From("collection", s.Collection, &s.opts.Collection),
		config.From("key_prefix", s.KeyPrefix, &s.opts.KeyPrefix),
	)
	if err != nil {
		return fmt.Errorf("store mongodb: %w", err)
	}
	if s.uri == "" {
		return errors.New("store mongodb: no uri")
	}
	if err := mongodb.Check(s.uri, s.opts); err != nil {
		return fmt.Errorf("store %w", err)
	}
	return nil
}

// Place implements [stores.Placed].
func (s *Module) Place() string {
	return stores.Prefixed(mongodb.Place(s.uri, s.opts), s.opts.KeyPrefix, s.KeyPrefix != "")
}

// Open implements [stores.Module].
func (s *Module) Open() (sessionstore.Store, func(), error) { return s.share(s.opts) }

// OpenShared implements [stores.Sharer]. The app creates its own indexes.
func (s *Module) OpenShared(l layout.Layout, lifetime time.Duration) (sessionstore.Store, func(), error) {
	is, err := stores.LayoutOf[layout.MongoDB](l, s.KeyPrefix != "")
	if err != nil {
		return nil, nil, err
	}
	opts := s.opts
	opts.Layout, opts.Endless = &is, lifetime
	opts.CreateIndex = config.Or(s.CreateIndex, false)
	opts.Database = cmp.Or(opts.Database, is.Database)
	if err := mongodb.Check(s.uri, opts); err != nil {
		return nil, nil, fmt.Errorf("store %w", err)
	}
	return s.share(opts)
}

func (s *Module) share(opts mongodb.Options) (sessionstore.Store, func(), error) {
	id := stores.Identity{Driver: "mongodb", Resource: config.Fingerprint(s.uri, opts, config.Files(s.uri))}
	return stores.ShareFor(s.holder, id, func(log stores.Log) (sessionstore.Store, error) {
		opts.OnState = stores.ReportServer(log, "mongodb is unreachable; retrying until it is back", "mongodb is back")
		opts.OnIndexError = func(err error) {
			log().Warn("there is no TTL index, so expired sessions stay in the collection: create it, or set create_index off",
				zap.Error(err))
		}
		return mongodb.Open(s.uri, opts)
	}, nil)
}
