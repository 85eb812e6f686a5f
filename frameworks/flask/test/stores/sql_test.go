package stores_test

import (
	"bytes"
	stdsql "database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/layout"
	"github.com/caddy-session/caddy-session/sessionstore/sql"
	"github.com/caddy-session/caddy-session/sessionstore/sql/mysql"
	"github.com/caddy-session/caddy-session/sessionstore/sql/postgres"
	"github.com/caddy-session/caddy-session/sessionstore/sql/sqlite"
	"github.com/caddy-session/caddy-session/sessionstore/storetest"
	"github.com/caddy-session/caddy-session/test/sqltest"
)

// database is a database with tables as SQLAlchemy creates them for Flask-Session.
type database struct {
	driver     *sql.Driver
	name, dsn  string // driver of database/sql
	definition string
	tick       time.Duration
	admin      *stdsql.DB
}

// each runs a test with every database. The servers' time zones are not UTC.
func each(t *testing.T, test func(t *testing.T, db *database)) {
	for _, d := range []*sql.Driver{postgres.Driver, mysql.Driver, sqlite.Driver} {
		t.Run(d.Name, func(t *testing.T) {
			t.Parallel()
			db := &database{driver: d, tick: 250 * time.Millisecond}
			admin := ""
			switch d {
			case postgres.Driver:
				db.name, db.dsn = "pgx", sqltest.StartPostgres(t).DSN()+"&timezone=Asia/Tokyo"
				db.definition = `id SERIAL NOT NULL, session_id VARCHAR(255), data BYTEA, expiry TIMESTAMP WITHOUT TIME ZONE, PRIMARY KEY (id), UNIQUE (session_id)`
			case mysql.Driver:
				db.name, db.dsn, db.tick = "mysql", sqltest.StartMariaDB(t, "default-time-zone=+09:00").DSN(), time.Second
				db.definition = `id INTEGER NOT NULL AUTO_INCREMENT, session_id VARCHAR(255), data BLOB, expiry DATETIME, PRIMARY KEY (id), UNIQUE (session_id)`
			case sqlite.Driver:
				db.name, db.dsn, admin = "sqlite", filepath.Join(inMemory(t), "flask.db"), "?_pragma=busy_timeout(10000)"
				db.definition = `id INTEGER NOT NULL, session_id VARCHAR(255), data BLOB, expiry DATETIME, PRIMARY KEY (id), UNIQUE (session_id)`
			}
			var err error
			if db.admin, err = stdsql.Open(db.name, db.dsn+admin); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = db.admin.Close() })
			test(t, db)
		})
	}
}

// inMemory returns a folder in memory if the system has one: syncing to disk is the slow part.
func inMemory(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "sqlite")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func (db *database) exec(t *testing.T, text string, args ...any) {
	t.Helper()
	if db.driver == postgres.Driver {
		for i := range args {
			text = strings.Replace(text, "?", fmt.Sprint("$", i+1), 1)
		}
	}
	if _, err := db.admin.ExecContext(t.Context(), text, args...); err != nil {
		t.Fatal(err)
	}
}

// table creates a table.
func (db *database) table(t *testing.T, name string) {
	t.Helper()
	db.exec(t, "CREATE TABLE "+name+" ("+db.definition+")")
}

// open opens a store on a table of Flask-Session.
func (db *database) open(t *testing.T, o sql.Options) *sql.Store {
	t.Helper()
	o.Layout, o.Timeout, o.DialTimeout = layoutOf[layout.SQL](t), 5*time.Second, 5*time.Second
	s, err := sql.Open(db.driver, db.dsn, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (db *database) use(t *testing.T, o sql.Options) *sql.Store {
	t.Helper()
	s := db.open(t, o)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

type prefixed struct {
	*sql.Store
	prefix string
}

// TestSQL runs the store suite.
func TestSQL(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, db *database) {
		definition := db.definition
		if db.driver == mysql.Driver {
			// Otherwise, neither keys that differ in case nor the suite's largest values would fit.
			definition = strings.NewReplacer("VARCHAR(255)", "VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin", "BLOB", "MEDIUMBLOB").Replace(definition)
		}
		db.exec(t, "CREATE TABLE sessions ("+definition+")")
		var last atomic.Int64
		open := func(t *testing.T, prefix string) sessionstore.Store {
			return &prefixed{db.open(t, sql.Options{KeyPrefix: prefix, PoolSize: 4}), prefix}
		}
		again := func(t *testing.T, s sessionstore.Store) sessionstore.Store { return open(t, s.(*prefixed).prefix) }
		storetest.Run(t, storetest.Harness{
			New:    func(t *testing.T) sessionstore.Store { return open(t, fmt.Sprint(last.Add(1), ":")) },
			Second: again, Reopen: again, Tick: db.tick,
		})
	})
}

// TestTableOfFlaskSession uses the real table, whose columns have other names, another key and
// times without a zone.
func TestTableOfFlaskSession(t *testing.T) {
	t.Parallel()
	const key = "session:fe8977c2-34a9-4945-acc0-6c6821944b9f"
	each(t, func(t *testing.T, db *database) {
		db.table(t, "flask")
		s := db.use(t, sql.Options{Table: "flask"})
		ctx := t.Context()
		save(t, s, key, "one", time.Hour)
		want(t, s, key, "one")
		var id int
		var expiry time.Time
		text := map[bool]string{true: "expiry", false: "CAST(expiry AS CHAR(26))"}[db.driver != mysql.Driver]
		var is any
		if err := db.admin.QueryRowContext(ctx, "SELECT id, "+text+" FROM flask").Scan(&id, &is); err != nil || id == 0 {
			t.Fatal(id, err)
		}
		switch is := is.(type) {
		case time.Time:
			expiry = is
		case []byte:
			expiry, _ = time.Parse(time.DateTime, string(is))
		}
		if left := time.Until(expiry); left < 59*time.Minute || left > 61*time.Minute {
			t.Errorf("the row says %v: %v from now", is, left)
		}
		if _, err := s.CompareAndSet(ctx, key, []byte("one"), []byte("two"), 2*db.tick); err != nil {
			t.Error(err)
		}
		if _, err := s.CompareAndSet(ctx, key, []byte("one"), []byte("three"), time.Hour); !errors.Is(err, sessionstore.ErrConflict) {
			t.Error(err)
		}
		time.Sleep(4 * db.tick)
		want(t, s, key, "")
		save(t, s, key, "four", time.Hour)
		if err := s.Touch(ctx, key, []byte("four"), 2*time.Hour); err != nil {
			t.Error(err)
		}
		e, err := s.CompareAndDelete(ctx, key, []byte("five"))
		if !errors.Is(err, sessionstore.ErrConflict) || !bytes.Equal(e.Value, []byte("four")) || e.TTL < time.Hour {
			t.Error(e, err)
		}
		if _, err := s.CompareAndDelete(ctx, key, []byte("four")); err != nil {
			t.Error(err)
		}
		want(t, s, key, "")
	})
}

// TestWithoutExpiry has rows without an expiry: Flask-Session does not take them for sessions.
func TestWithoutExpiry(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, db *database) {
		db.table(t, "sessions")
		s := db.use(t, sql.Options{})
		db.exec(t, "INSERT INTO sessions (session_id, data) VALUES ('session:a', ?)", []byte("one"))
		want(t, s, "session:a", "")
		if _, err := s.CompareAndDelete(t.Context(), "session:a", []byte("one")); err != nil {
			t.Error(err)
		}
		if _, err := s.CompareAndSet(t.Context(), "session:a", []byte("one"), []byte("two"), time.Hour); !errors.Is(err, sessionstore.ErrConflict) {
			t.Error(err)
		}
		save(t, s, "session:a", "three", time.Hour)
		want(t, s, "session:a", "three")
	})
}

// TestValueBomb has another program replace a session with 50 MB. The store does not read it.
func TestValueBomb(t *testing.T) {
	t.Parallel() // runs with other tests that allocate: the limit allows for them
	const size = 50 << 20
	each(t, func(t *testing.T, db *database) {
		if db.driver == mysql.Driver {
			db.definition = strings.Replace(db.definition, "BLOB", "LONGBLOB", 1)
		}
		db.table(t, "sessions")
		s := db.use(t, sql.Options{})
		save(t, s, "session:a", "one", time.Hour)
		bytesOf := map[*sql.Driver]string{
			postgres.Driver: "decode(repeat('00', ?), 'hex')", mysql.Driver: "repeat('x', ?)", sqlite.Driver: "zeroblob(?)",
		}[db.driver]
		set := func(n int) { db.exec(t, "UPDATE sessions SET data = "+bytesOf, n) }
		set(sessionstore.MaxValue)
		if e, err := s.Get(t.Context(), "session:a"); err != nil || len(e.Value) != sessionstore.MaxValue {
			t.Errorf("the largest: %d bytes, %v", len(e.Value), err)
		}
		for _, n := range []int{sessionstore.MaxValue + 1, size} {
			if n == size && db.driver == mysql.Driver {
				n = 15 << 20 // the largest statement
			}
			set(n)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err1 := s.Get(t.Context(), "session:a")
			_, err2 := s.CompareAndSet(t.Context(), "session:a", nil, []byte("two"), time.Hour)
			_, err3 := s.CompareAndSet(t.Context(), "session:a", []byte("one"), []byte("two"), time.Hour)
			_, err4 := s.CompareAndDelete(t.Context(), "session:a", []byte("one"))
			for i, err := range []error{err1, err2, err3, err4} {
				if !errors.Is(err, sessionstore.ErrRecord) || errors.Is(err, sessionstore.ErrConflict) {
					t.Errorf("%d bytes, operation %d: %v", n, i+1, err)
				}
			}
			runtime.ReadMemStats(&after)
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 2*size {
				t.Errorf("%d bytes were allocated", grown)
			}
			var is int
			if err := db.admin.QueryRowContext(t.Context(), "SELECT length(data) FROM sessions").Scan(&is); err != nil || is != n {
				t.Errorf("the row has %d bytes now, %v", is, err)
			}
		}
	})
}

// TestSequence has a table whose id column has no default.
func TestSequence(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, db *database) {
		o := sql.Options{Layout: layoutOf[layout.SQL](t), Sequence: "session_ids"}
		if db.driver == sqlite.Driver {
			if err := sql.Check(db.driver, db.dsn, o); err == nil {
				t.Error("SQLite has no sequences")
			}
			return
		}
		db.definition = strings.NewReplacer("SERIAL", "INTEGER", "AUTO_INCREMENT", "").Replace(db.definition)
		db.table(t, "sessions")
		db.exec(t, "CREATE SEQUENCE session_ids START WITH 7")
		s := db.use(t, o)
		save(t, s, "session:a", "one", time.Hour)
		save(t, s, "session:b", "two", time.Hour)
		want(t, s, "session:a", "one")
		var least, most int
		if err := db.admin.QueryRowContext(t.Context(), "SELECT min(id), max(id) FROM sessions").Scan(&least, &most); err != nil || least != 7 || most != 8 {
			t.Errorf("ids from %d to %d, %v", least, most, err)
		}
	})
}

// TestCreateTable creates the app's table if asked to, and the app can use it as its own.
func TestCreateTable(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, db *database) {
		s := db.use(t, sql.Options{CreateTable: true})
		save(t, s, "session:a", "one", time.Hour)
		db.exec(t, "INSERT INTO sessions (session_id, data, expiry) VALUES ('session:b', ?, '2999-01-01 00:00:00.000000')", []byte("two"))
		db.exec(t, "INSERT INTO sessions (session_id, data, expiry) VALUES ('session:c', NULL, NULL)")
		want(t, s, "session:b", "two")
		if e, err := s.Get(t.Context(), "session:b"); err != nil || e.TTL < 290*365*24*time.Hour {
			t.Errorf("TTL %v until the year 2999, %v", e.TTL, err)
		}
		again := db.use(t, sql.Options{CreateTable: true})
		want(t, again, "session:a", "one")
		var ids, rows int
		if err := db.admin.QueryRowContext(t.Context(), "SELECT count(DISTINCT id), count(*) FROM sessions").Scan(&ids, &rows); err != nil || ids != 3 || rows != 3 {
			t.Errorf("%d ids in %d rows, %v", ids, rows, err)
		}
		if _, err := db.admin.ExecContext(t.Context(), "INSERT INTO sessions (session_id) VALUES ('session:a')"); err == nil {
			t.Error("two rows have one key")
		}
		large := make([]byte, sessionstore.MaxRecord)
		save(t, s, "session:d", string(large), time.Hour)
		want(t, s, "session:d", string(large))
	})
}

// TestSmallColumn has the BLOB that SQLAlchemy creates in MySQL, which is smaller than the largest
// record. Nothing is truncated.
func TestSmallColumn(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, db *database) {
		if db.driver != mysql.Driver {
			return // columns of other databases have no such limit
		}
		db.table(t, "sessions")
		s := db.use(t, sql.Options{})
		save(t, s, "session:a", strings.Repeat("x", 1<<16-1), time.Hour)
		_, err := s.CompareAndSet(t.Context(), "session:b", nil, make([]byte, 1<<16), time.Hour)
		if !errors.Is(err, sessionstore.ErrUnavailable) || !strings.Contains(err.Error(), "too long for column 'data'") {
			t.Error(err)
		}
		want(t, s, "session:b", "")
	})
}

// TestNotOurs checks that the app's table is neither created without being asked nor swept, and
// that its file keeps its journal mode.
func TestNotOurs(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, db *database) {
		db.table(t, "sessions")
		missing := db.use(t, sql.Options{Table: "missing"})
		if _, err := missing.Get(t.Context(), "k"); !errors.Is(err, sessionstore.ErrUnavailable) || !strings.Contains(err.Error(), "there is no table missing") {
			t.Error(err)
		}
		s := db.use(t, sql.Options{SweepInterval: 5 * time.Millisecond})
		save(t, s, "session:a", "one", time.Millisecond)
		save(t, s, "session:b", "one", time.Hour)
		time.Sleep(2*db.tick + 200*time.Millisecond)
		want(t, s, "session:a", "")
		var n int
		if err := db.admin.QueryRowContext(t.Context(), "SELECT count(*) FROM sessions").Scan(&n); err != nil || n != 2 {
			t.Errorf("%d rows, %v", n, err)
		}
		if db.driver == sqlite.Driver {
			var mode string
			if err := db.admin.QueryRowContext(t.Context(), "PRAGMA journal_mode").Scan(&mode); err != nil || mode != "delete" {
				t.Errorf("the journal mode of the file is %s now, %v", mode, err)
			}
		}
		for says, o := range map[string]sql.Options{
			"create_table": {Layout: layoutOf[layout.SQL](t), CreateTable: true, Sequence: "s"},
			"sequence":     {Sequence: "s"},
			"sequence \"":  {Layout: layoutOf[layout.SQL](t), Sequence: "a;b"},
		} {
			if err := sql.Check(db.driver, db.dsn, o); err == nil || db.driver != sqlite.Driver && !strings.Contains(err.Error(), says) {
				t.Errorf("%+v: %v", o, err)
			}
		}
	})
}
