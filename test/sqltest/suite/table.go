package suite

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/sql"
)

// save creates a record.
func save(t testing.TB, s sessionstore.Store, key, value string, ttl time.Duration) error {
	_, err := s.CompareAndSet(t.Context(), key, nil, []byte(value), ttl)
	return err
}

// want checks a record; "" means that there must be none.
func want(t testing.TB, s sessionstore.Store, key, value string) {
	t.Helper()
	e, err := s.Get(t.Context(), key)
	if err != nil || string(e.Value) != value {
		t.Errorf("got %q, %v; want %q", e.Value, err, value)
	}
}

// The database's names of column types.
func (db *database) types() (key, value, expires string) {
	switch db.driver.Name {
	case "postgres":
		return "varchar(255)", "bytea", "timestamptz"
	case "mysql":
		return "varbinary(255)", "mediumblob", "datetime(6)"
	default:
		return "text", "blob", "integer"
	}
}

// tables uses existing tables.
func (db *database) tables(t *testing.T) {
	key, value, expires := db.types()
	quoted := "\"key\""
	if db.driver.Name == "mysql" {
		quoted = "`key`"
	}
	for _, test := range []struct {
		name, columns, says string
	}{
		{"missing", "", "create_table on"},
		{"right", quoted + " " + key + " PRIMARY KEY NOT NULL, value " + value + " NOT NULL, expires " + expires + " NOT NULL, more integer", ""},
		{"nounique", quoted + " " + key + " NOT NULL, value " + value + " NOT NULL, expires " + expires + " NOT NULL", ""},
		{"nokey", "id " + key + " PRIMARY KEY NOT NULL, value " + value + " NOT NULL, expires " + expires + " NOT NULL", ""},
		{"novalue", quoted + " " + key + " PRIMARY KEY NOT NULL, val " + value + " NOT NULL, expires " + expires + " NOT NULL", ""},
		{"wrongtime", quoted + " " + key + " PRIMARY KEY NOT NULL, value " + value + " NOT NULL, expires time NOT NULL", "column expires"},
		{"wrongvalue", quoted + " " + key + " PRIMARY KEY NOT NULL, value integer NOT NULL, expires " + expires + " NOT NULL", "column value"},
		{"wrongkey", quoted + " integer PRIMARY KEY NOT NULL, value " + value + " NOT NULL, expires " + expires + " NOT NULL", "column key"},
	} {
		table := "t_" + test.name
		if test.columns != "" {
			db.exec(t, "CREATE TABLE "+table+" ("+test.columns+")")
		}
		s := db.use(t, patient(sql.Options{Table: table, CreateTable: test.name != "missing"}))
		err := save(t, s, "k", "v", time.Hour)
		if test.name == "right" {
			if err != nil {
				t.Errorf("%s: %v", test.name, err)
			}
			continue
		}
		if !errors.Is(err, sessionstore.ErrUnavailable) || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v", test.name, err)
		}
		t.Logf("%s: %v", test.name, err)
		if test.columns != "" && db.count(t, table) != 0 {
			t.Errorf("%s: a row was written", test.name)
		}
	}
}

// tableNames checks that table names cannot inject SQL.
func (db *database) tableNames(t *testing.T) {
	for _, name := range []string{
		"a b", "a;b", `a"b`, "a`b", "a'b", "1a", "é", "a.b.c", ".a", "a.", "a--", "a\x00", strings.Repeat("a", 56), "{key}", "?", "$1",
	} {
		if err := sql.Check(db.driver, db.dsn, sql.Options{Table: name}); err == nil {
			t.Errorf("%q is taken", name)
		}
	}
	for _, name := range []string{"select", "_a9", "Order", strings.Repeat("b", 55)} {
		s := db.use(t, patient(sql.Options{Table: name, CreateTable: true}))
		if err := save(t, s, "k", "v", time.Hour); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		want(t, s, "k", "v")
	}
	if db.server == nil {
		if sql.Check(db.driver, db.dsn, sql.Options{Table: "main.a"}) == nil {
			t.Error("a schema is accepted, SQLite has none")
		}
		return
	}
	db.exec(t, "CREATE SCHEMA elsewhere")
	s := db.use(t, patient(sql.Options{Table: "elsewhere.sessions", CreateTable: true}))
	if err := save(t, s, "k", "v", time.Hour); err != nil {
		t.Error(err)
	}
	want(t, s, "k", "v")
	if n := db.count(t, "elsewhere.sessions"); n != 1 {
		t.Errorf("%d rows", n)
	}
}

// concurrentCreation has many processes create the missing table at the same time.
func (db *database) concurrentCreation(t *testing.T) {
	var all sync.WaitGroup
	for range 8 {
		s := db.use(t, sql.Options{Table: "many", CreateTable: true, PoolSize: 2, Timeout: 5 * time.Second})
		all.Go(func() {
			if _, err := s.Get(t.Context(), "k"); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

// droppedTable drops the table.
func (db *database) droppedTable(t *testing.T) {
	s := db.use(t, patient(sql.Options{Table: "anew", CreateTable: true}))
	for range 2 {
		if err := save(t, s, "k", "v", time.Hour); err != nil {
			t.Fatal(err)
		}
		db.exec(t, "DROP TABLE anew")
		for range 2 { // the first one notices
			_, _ = s.Get(t.Context(), "k")
		}
	}
	want(t, s, "k", "")
}

// wholeValues compares values that only begin the same.
func (db *database) wholeValues(t *testing.T) {
	s := db.use(t, patient(sql.Options{CreateTable: true, KeyPrefix: "whole:"}))
	ctx := t.Context()
	record := func(version byte, data string) []byte {
		return append(append([]byte{sessionstore.FormatNative}, bytes.Repeat([]byte{version}, 16)...), data...)
	}
	if err := save(t, s, "k", string(record(1, "data")), time.Hour); err != nil {
		t.Fatal(err)
	}
	// The version decides, so that the old value need not be sent again.
	if _, err := s.CompareAndSet(ctx, "k", record(1, "other data"), record(2, "data"), time.Hour); err != nil {
		t.Error(err)
	}
	if _, err := s.CompareAndSet(ctx, "k", record(1, "data"), record(3, "data"), time.Hour); !errors.Is(err, sessionstore.ErrConflict) {
		t.Error(err)
	}
	if _, err := s.CompareAndSet(ctx, "k", record(2, "")[:17], record(3, "data"), time.Hour); !errors.Is(err, sessionstore.ErrConflict) {
		t.Error("a version alone was accepted as the record: ", err)
	}
	want(t, s, "k", string(record(2, "data")))
}
