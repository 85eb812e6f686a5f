// Package sql is the session store module for a table of an SQL database. Each database is a
// package below this one, with its driver: import those that you need.
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

// Module keeps the sessions in a table of PostgreSQL, MySQL, MariaDB or SQLite. Caddy starts
// without the database and reconnects by itself.
type Module struct {
	// The database: postgres, mysql (also for MariaDB) or sqlite.
	Database string `json:"database,omitempty"`

	// The DSN in the format of the Go driver: "postgres://user:password@host:5432/database",
	// "user:password@tcp(host:3306)/database", or the path of a file. Placeholders such as {env.*}
	// and {file.*} work.
	DSN string `json:"dsn,omitempty"`

	// The table, with its schema if that is not the default one. Default: sessions
	Table string `json:"table,omitempty"`

	// The sequence for new rows in an app's table whose id column has no default. Default: none
	Sequence string `json:"sequence,omitempty"`

	// Whether to create the table, and with SQLite also the file, if it does not exist. An existing
	// table is never altered. Default: false
	CreateTable bool `json:"create_table,omitempty"`

	// The prefix of every key. The prefix of an app is set in its dialect. Default: empty
	KeyPrefix string `json:"key_prefix,omitempty"`

	// The maximum number of connections. Default: 10
	PoolSize int `json:"pool_size,omitempty"`

	// The timeout for connecting. Default: 500ms
	DialTimeout caddy.Duration `json:"dial_timeout,omitempty"`

	// The timeout for a statement. Default: 800ms
	Timeout caddy.Duration `json:"timeout,omitempty"`

	// How long an unused connection is kept. Default: 5m
	MaxIdleTime caddy.Duration `json:"max_idle_time,omitempty"`

	// The maximum age of a connection. Default: 30m
	MaxLifetime caddy.Duration `json:"max_lifetime,omitempty"`

	// The average time between two deletions of expired sessions. An app must delete its own.
	// Default: 1m
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

// Register adds a database. The packages below this one call it in their init functions.
func Register(d *sql.Driver) { drivers[d.Name] = d }

// find returns the driver of a database.
func find(database string) (*sql.Driver, error) {
	if d := drivers[database]; d != nil {
		return d, nil
	}
	if !slices.Contains(addons.Databases, database) {
		// The value may be a misplaced DSN, so the error does not contain it.
		return nil, fmt.Errorf("store sql: the database must be one of %s", strings.Join(addons.Databases, ", "))
	}
	return nil, fmt.Errorf("store sql %s %s", database, addons.Hint("http.session.stores.sql", database))
}

// Provision implements [caddy.Provisioner]. It does not connect. It checks a database file without
// changing it.
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
	// the sequence can be checked only when the table is opened, as our own or as an app's
	alone.Sequence = ""
	if err := sql.Check(s.driver, s.dsn, alone); err != nil {
		return fmt.Errorf("store %w", err)
	}
	if err := sql.Inspect(ctx, s.driver, s.dsn, alone); err != nil {
		return s.holder.Unusable(fmt.Errorf("store %w", err))
	}
	return nil
}

// Place implements [stores.Placed].
func (s *Module) Place() string {
	return stores.Prefixed(s.Database+" "+sql.Place(s.driver, s.dsn, s.opts), s.opts.KeyPrefix, s.KeyPrefix != "")
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
		return nil, nil, errors.New("store sql: sweep_interval: the app must delete its expired sessions")
	}
	opts := s.opts
	opts.Layout = &is
	return s.open(opts)
}

func (s *Module) open(opts sql.Options) (sessionstore.Store, func(), error) {
	if err := sql.Check(s.driver, s.dsn, opts); err != nil {
		return nil, nil, fmt.Errorf("store %w", err)
	}
	id := stores.Identity{Driver: "sql " + s.Database, Resource: config.Fingerprint(s.Database, s.dsn, opts, config.Files(s.dsn))}
	return stores.ShareFor(s.holder, id, func(log stores.Log) (sessionstore.Store, error) {
		ours := func() *zap.Logger { return log().With(zap.String("database", s.Database)) }
		opts.OnState = stores.ReportServer(ours, "the database is unreachable; retrying until it is back", "the database is back")
		opts.OnSweepError = func(err error) {
			ours().Warn("expired sessions were not deleted; retrying", zap.Error(err))
		}
		return sql.Open(s.driver, s.dsn, opts)
	}, nil)
}
