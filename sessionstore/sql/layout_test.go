package sql_test

import (
	"bytes"
	stdsql "database/sql"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/sql"
	"github.com/caddy-session/caddy-session/sessionstore/sql/mysql"
	"github.com/caddy-session/caddy-session/sessionstore/sql/postgres"
	"github.com/caddy-session/caddy-session/sessionstore/sql/sqlite"
	"github.com/caddy-session/caddy-session/test/sqltest"
)

func TestForeignTableInPostgres(t *testing.T) {
	t.Parallel()
	foreignTable(t, postgres.Driver, "pgx", sqltest.StartPostgres(t).DSN()+"&timezone=Asia/Tokyo")
}

func TestForeignTableInMariaDB(t *testing.T) {
	t.Parallel()
	foreignTable(t, mysql.Driver, "mysql", sqltest.StartMariaDB(t, "default-time-zone=+09:00").DSN())
}

func TestForeignTableInSQLite(t *testing.T) {
	t.Parallel()
	foreignTable(t, sqlite.Driver, "sqlite", filepath.Join(t.TempDir(), "flask.db"))
}

// save creates a record.
func save(t testing.TB, s sessionstore.Store, key, value string, ttl time.Duration) error {
	_, err := s.CompareAndSet(t.Context(), key, nil, []byte(value), ttl)
	return err
}

// want checks a record; the empty string stands for none.
func want(t testing.TB, s sessionstore.Store, key, value string) {
	t.Helper()
	e, err := s.Get(t.Context(), key)
	if err != nil || string(e.Value) != value {
		t.Errorf("there is %q, %v; want %q", e.Value, err, value)
	}
}

// foreignTable uses a table as Flask-Session makes it: other names, another key, times without a zone.
func foreignTable(t *testing.T, d *sql.Driver, name, dsn string) {
	columns := map[string]string{
		"postgres": "id serial PRIMARY KEY, session_id varchar(255) UNIQUE, data bytea, expiry timestamp",
		"mysql":    "id integer NOT NULL AUTO_INCREMENT PRIMARY KEY, session_id varbinary(255) UNIQUE, data mediumblob, expiry datetime(6)",
		"sqlite":   "id integer PRIMARY KEY, session_id varchar(255) UNIQUE, data blob, expiry datetime",
	}[d.Name]
	admin, err := stdsql.Open(name, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = admin.Close() })
	if _, err := admin.ExecContext(t.Context(), "CREATE TABLE flask ("+columns+")"); err != nil {
		t.Fatal(err)
	}
	s, err := sql.OpenFlask(d, dsn, sql.Options{Table: "flask", CreateTable: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	const key = "session:fe8977c2-34a9-4945-acc0-6c6821944b9f"
	ctx := t.Context()
	if err := save(t, s, key, "one", 300*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	want(t, s, key, "one")
	if e, _ := s.Get(ctx, key); e.TTL > 301*time.Millisecond || e.TTL < 50*time.Millisecond {
		t.Errorf("%v left", e.TTL)
	}
	if _, err := s.CompareAndSet(ctx, key, []byte("one"), []byte("two"), 200*time.Millisecond); err != nil {
		t.Error(err)
	}
	if _, err := s.CompareAndSet(ctx, key, []byte("one"), []byte("three"), time.Hour); !errors.Is(err, sessionstore.ErrConflict) {
		t.Error(err)
	}
	time.Sleep(250 * time.Millisecond)
	want(t, s, key, "")
	if err := save(t, s, key, "four", time.Hour); err != nil {
		t.Error(err)
	}
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
}
