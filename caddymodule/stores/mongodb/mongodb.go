// Package mongodb is the session store module that keeps sessions in a collection of MongoDB, so that many proxies share them.
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

// Module keeps the sessions in a collection of MongoDB 4.4 or later. Caddy starts without it, and recovers by itself when it returns.
type Module struct {
	// Where it is: "mongodb://user:password@host:27017/?replicaSet=name" or "mongodb+srv://…", with the options of MongoDB's drivers,
	// such as tls=true. Placeholders such as {env.*} and {file.*} work here and in the other strings.
	URI string `json:"uri,omitempty"`

	// The database. Default: caddy; with a dialect, what the app's framework has by default
	Database string `json:"database,omitempty"`

	// The collection. Default: sessions
	Collection string `json:"collection,omitempty"`

	// Whether the index is made by which the server deletes expired sessions. One that is there is never altered, and a collection
	// that an app brings along is left to the app. Default: true
	CreateIndex *bool `json:"create_index,omitempty"`

	// What comes before the key of every session, at most 200 bytes. Default: nothing
	KeyPrefix string `json:"key_prefix,omitempty"`

	// How many connections there are to a server at most. Default: maxPoolSize of a mongodb:// URI, or 100
	PoolSize int `json:"pool_size,omitempty"`

	// How long connecting may take, and finding a server that can be written to. Default: 600ms
	DialTimeout caddy.Duration `json:"dial_timeout,omitempty"`

	// How long a reply may take. Default: 800ms
	Timeout caddy.Duration `json:"timeout,omitempty"`

	uri    string
	opts   mongodb.Options
	holder *stores.Holder
}

// CaddyModule returns the Caddy module information.
func (*Module) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.session.stores.mongodb", New: func() caddy.Module { return new(Module) }}
}

// Provision implements [caddy.Provisioner]. It connects to nothing.
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

// Open implements [stores.Module].
func (s *Module) Open() (sessionstore.Store, func(), error) { return s.share(s.opts) }

// OpenShared implements [stores.Sharer]. Indexes are the app's to make.
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
	id := stores.Identity{Driver: "mongodb", Resource: config.Fingerprint(s.uri, opts)}
	return stores.ShareFor(s.holder, id, func(log stores.Log) (sessionstore.Store, error) {
		opts.OnState = func(server string, err error) { report(log(), server, err) }
		opts.OnIndexError = func(err error) {
			log().Warn("there is no index by which the server deletes expired sessions: they stay in the collection; make it, or set create_index off",
				zap.Error(err))
		}
		return mongodb.Open(s.uri, opts)
	}, nil)
}

// report logs that the server has gone or come back.
func report(log *zap.Logger, server string, err error) {
	if err != nil {
		log.Error("mongodb is out of reach; it is tried again until it is back", zap.String("server", server), zap.Error(err))
		return
	}
	log.Info("mongodb is back", zap.String("server", server))
}
