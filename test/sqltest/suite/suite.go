// Package suite tests what the SQL stores must do beyond the suite of all stores.
package suite

import (
	stdsql "database/sql"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/sql"
	"github.com/caddy-session/caddy-session/sessionstore/storetest"
	"github.com/caddy-session/caddy-session/test/sqltest"
)

// database is the database under test.
type database struct {
	driver *sql.Driver
	dsn    string

	// server is nil for SQLite.
	server *sqltest.Server

	// admin is a client that does not use a store.
	admin *stdsql.DB
}

// Run runs all tests of a database. server is nil for SQLite, where the dsn is a path. name is the
// database's driver in database/sql.
func Run(t *testing.T, d *sql.Driver, name, dsn string, server *sqltest.Server) {
	newDatabase(t, d, name, dsn, server).test(t)
}

func newDatabase(t testing.TB, d *sql.Driver, name, dsn string, server *sqltest.Server) *database {
	path := dsn
	if server == nil {
		path += "?_pragma=busy_timeout(10000)"
	}
	admin, err := stdsql.Open(name, path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = admin.Close() })
	return &database{d, dsn, server, admin}
}

// test runs all tests. Those that kill the server come last.
func (db *database) test(t *testing.T) {
	t.Run("together", func(t *testing.T) {
		t.Run("suite", func(t *testing.T) { t.Parallel(); db.suite(t) })
		for name, test := range map[string]func(*testing.T){
			"tables":              db.tables,
			"table names":         db.tableNames,
			"concurrent creation": db.concurrentCreation,
			"dropped table":       db.droppedTable,
			"sweeping":            db.sweeping,
			"fifty keys":          db.fiftyKeys,
			"whole values":        db.wholeValues,
			"create or expire":    db.createAgainstCreate,
		} {
			t.Run(name, func(t *testing.T) { t.Parallel(); test(t) })
		}
		if db.server != nil {
			t.Run("wrong password", func(t *testing.T) { t.Parallel(); db.wrongPassword(t) })
			t.Run("balancer without servers", func(t *testing.T) { t.Parallel(); db.balancer(t) })
			t.Run("lost answers", func(t *testing.T) { t.Parallel(); db.lostAnswers(t) })
			t.Run("broken connections", func(t *testing.T) { t.Parallel(); db.brokenConnections(t) })
		}
	})
	if db.server != nil {
		t.Run("killed", db.killed)
		t.Run("hanging", db.hanging)
		t.Run("dead", db.dead)
	}
}

// last numbers the stores: each has its own keys.
var last atomic.Int64

// suite runs the store suite. All stores share a table; each has its own prefix.
func (db *database) suite(t *testing.T) {
	open := func(t *testing.T, prefix string) sessionstore.Store {
		return &store{db.open(t, patient(sql.Options{CreateTable: true, KeyPrefix: prefix, PoolSize: 4})), prefix}
	}
	again := func(t *testing.T, s sessionstore.Store) sessionstore.Store { return open(t, s.(*store).prefix) }
	storetest.Run(t, storetest.Harness{
		New: func(t *testing.T) sessionstore.Store {
			return open(t, fmt.Sprintf("%d:", last.Add(1)))
		},
		Second: again,
		Reopen: again,
	})
}

type store struct {
	*sql.Store
	prefix string
}

// patience is a timeout for operations that are not about time, on a busy machine.
const patience = 10 * time.Second

// patient returns options with such timeouts.
func patient(o sql.Options) sql.Options {
	o.DialTimeout, o.Timeout = patience, patience
	return o
}

// open opens a store; the caller closes it.
func (db *database) open(t testing.TB, opts sql.Options) *sql.Store {
	t.Helper()
	return db.openAt(t, db.dsn, opts)
}

func (db *database) openAt(t testing.TB, dsn string, opts sql.Options) *sql.Store {
	t.Helper()
	s, err := sql.Open(db.driver, dsn, opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// use opens a store until the test ends.
func (db *database) use(t testing.TB, opts sql.Options) *sql.Store {
	t.Helper()
	s := db.open(t, opts)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// exec runs a statement without a store.
func (db *database) exec(t testing.TB, text string) {
	t.Helper()
	if _, err := db.admin.ExecContext(t.Context(), text); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}

// count returns the number of rows in a table, including expired ones.
func (db *database) count(t testing.TB, table string) (n int) {
	t.Helper()
	if err := db.admin.QueryRowContext(t.Context(), "SELECT count(*) FROM "+table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
