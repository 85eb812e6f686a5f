// Package sql is the session store module that keeps sessions in a table of an SQL database. The databases are packages below this
// one, each with its driver: one adds those that one wants.
package sql

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/caddy-session/caddy-session/caddymodule/stores"
	"github.com/caddy-session/caddy-session/internal/addons"
	"github.com/caddy-session/caddy-session/internal/config"
	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/layout"
	"github.com/caddy-session/caddy-session/sessionstore/sql"
)

func init() { caddy.RegisterModule(new(Module)) }

// Module keeps the sessions in a table of PostgreSQL, MySQL, MariaDB or SQLite. Caddy starts without the database, and recovers
// by itself when it returns.
type Module struct {
	// The database: postgres, mysql (MariaDB too) or sqlite.
	Database string `json:"database,omitempty"`

	// Where it is, in the form of its Go driver: "postgres://user:password@host:5432/database",
	// "user:password@tcp(host:3306)/database", or the path of a file. Placeholders such as {env.*} and {file.*} work.
	DSN string `json:"dsn,omitempty"`

	// The table, with its schema if that is not the default one. Default: sessions
	Table string `json:"table,omitempty"`

	// Where the ids of new rows come from in an app's table whose column of ids has no default. Default: they come by themselves
	Sequence string `json:"sequence,omitempty"`

	// Whether the table, with SQLite the file too, is made when it is missed. It is never altered. Default: false
	CreateTable bool `json:"create_table,omitempty"`

	// What comes before the key of every session. An app's stands in its dialect. Default: nothing
	KeyPrefix string `json:"key_prefix,omitempty"`

	// How many connections there are at most. Default: 10
	PoolSize int `json:"pool_size,omitempty"`

	// How long connecting may take. Default: 500ms
	DialTimeout caddy.Duration `json:"dial_timeout,omitempty"`

	// How long a statement may take. Default: 800ms
	Timeout caddy.Duration `json:"timeout,omitempty"`

	// How long a connection is kept unused. Default: 5m
	MaxIdleTime caddy.Duration `json:"max_idle_time,omitempty"`

	// How long a connection is used. Default: 30m
	MaxLifetime caddy.Duration `json:"max_lifetime,omitempty"`

	// How often expired sessions are deleted, on average. An app's are left to the app. Default: 1m
	SweepInterval caddy.Duration `json:"sweep_interval,omitempty"`

	driver *sql.Driver
	dsn    string
	opts   sql.Options
	holder *stores.Holder
}

// CaddyModule returns the Caddy module information.
func (*Module) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.session.stores.sql", New: func() caddy.Module { return new(Module) }}
}

var drivers = make(map[string]*sql.Driver)

// Register makes a database known. The packages below this one call it when they are initialized.
func Register(d *sql.Driver) { drivers[d.Name] = d }

// find returns the driver of a database.
func find(database string) (*sql.Driver, error) {
	if d := drivers[database]; d != nil {
		return d, nil
	}
	if !slices.Contains(addons.Databases, database) {
		// What stands there instead may be the dsn.
		return nil, fmt.Errorf("store sql: the database must be one of %s", strings.Join(addons.Databases, ", "))
	}
	return nil, fmt.Errorf("store sql %s %s", database, addons.Hint("http.session.stores.sql", database))
}

// Provision implements [caddy.Provisioner]. It connects to nothing. A file it looks at, and leaves it as it is.
func (s *Module) Provision(ctx caddy.Context) error {
	s.holder = stores.NewHolder(ctx)
	if err := s.block().Check(); err != nil {
		return fmt.Errorf("store sql: %w", err)
	}
	var err error
	if s.driver, err = find(s.Database); err != nil {
		return err
	}
	s.opts = sql.Options{
		CreateTable: s.CreateTable, PoolSize: s.PoolSize,
		DialTimeout: time.Duration(s.DialTimeout), Timeout: time.Duration(s.Timeout),
		MaxIdleTime: time.Duration(s.MaxIdleTime), MaxLifetime: time.Duration(s.MaxLifetime), SweepInterval: time.Duration(s.SweepInterval),
	}
	err = config.ResolveAll(
		config.From("dsn", s.DSN, &s.dsn),
		config.From("table", s.Table, &s.opts.Table),
		config.From("sequence", s.Sequence, &s.opts.Sequence),
		config.From("key_prefix", s.KeyPrefix, &s.opts.KeyPrefix),
	)
	if err != nil {
		return fmt.Errorf("store sql: %w", err)
	}
	if s.dsn == "" {
		return fmt.Errorf("store sql %s: no dsn", s.Database)
	}
	alone := s.opts
	alone.Sequence = "" // whether it fits is not known before the table is opened, as ours or as an app's
	if err := sql.Check(s.driver, s.dsn, alone); err != nil {
		return fmt.Errorf("store %w", err)
	}
	if err := sql.Inspect(ctx, s.driver, s.dsn, alone); err != nil {
		return s.holder.Unusable(fmt.Errorf("store %w", err))
	}
	return nil
}

// Open implements [stores.Module].
func (s *Module) Open() (sessionstore.Store, func(), error) {
	return s.open(s.opts)
}

// OpenShared implements [stores.Sharer].
func (s *Module) OpenShared(l layout.Layout, _ time.Duration) (sessionstore.Store, func(), error) {
	is, err := stores.LayoutOf[layout.SQL](l, s.KeyPrefix != "")
	if err != nil {
		return nil, nil, err
	}
	if s.SweepInterval != 0 {
		return nil, nil, errors.New("store sql: sweep_interval: it is the app's to delete its expired sessions")
	}
	opts := s.opts
	opts.Layout = &is
	return s.open(opts)
}

func (s *Module) open(opts sql.Options) (sessionstore.Store, func(), error) {
	if err := sql.Check(s.driver, s.dsn, opts); err != nil {
		return nil, nil, fmt.Errorf("store %w", err)
	}
	id := stores.Identity{Driver: "sql " + s.Database, Resource: config.Fingerprint(s.Database, s.dsn, opts)}
	return stores.ShareFor(s.holder, id, func(log stores.Log) (sessionstore.Store, error) {
		ours := func() *zap.Logger { return log().With(zap.String("database", s.Database)) }
		opts.OnState = func(server string, err error) { report(ours(), server, err) }
		opts.OnSweepError = func(err error) {
			ours().Warn("expired sessions were not deleted; the next attempt follows", zap.Error(err))
		}
		return sql.Open(s.driver, s.dsn, opts)
	}, nil)
}

// report logs that the database has gone or come back.
func report(log *zap.Logger, server string, err error) {
	if err != nil {
		log.Error("the database is out of reach; it is tried again until it is back", zap.String("server", server), zap.Error(err))
		return
	}
	log.Info("the database is back", zap.String("server", server))
}
