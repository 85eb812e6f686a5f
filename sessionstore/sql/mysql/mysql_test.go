package mysql_test

import (
	"bytes"
	stdsql "database/sql"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/internal/longtest"
	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/sql"
	"github.com/caddy-session/caddy-session/sessionstore/sql/mysql"
	"github.com/caddy-session/caddy-session/test/sqltest"
	"github.com/caddy-session/caddy-session/test/sqltest/suite"
)

func TestStore(t *testing.T) {
	s := sqltest.StartMariaDB(t)
	suite.Run(t, mysql.Driver, "mysql", s.DSN(), s)
}

// The primary becomes read-only for an ordinary user.
func TestFailover(t *testing.T) {
	longtest.Test(t)
	first, second := sqltest.StartMariaDB(t), sqltest.StartMariaDB(t)
	for _, server := range []*sqltest.Server{first, second} {
		admin := administer(t, server)
		for _, statement := range []string{
			"CREATE USER bound IDENTIFIED BY '" + sqltest.Password + "'",
			"GRANT ALL ON " + sqltest.Database + ".* TO bound",
		} {
			if _, err := admin.Exec(statement); err != nil {
				t.Fatal(err)
			}
		}
	}
	dsnAt := func(addr string) string { return strings.Replace(first.DSNAt(addr), sqltest.User, "bound", 1) }
	suite.Failover(t, mysql.Driver, first, second, dsnAt, func() {
		if _, err := administer(t, first).Exec("SET GLOBAL read_only = 1"); err != nil {
			t.Fatal(err)
		}
	})
}

// Errors have a text of our own, without what the server quotes.
func TestErrorsInWords(t *testing.T) {
	server := sqltest.StartMariaDB(t)
	admin := administer(t, server)
	exec := func(statement string) {
		t.Helper()
		if _, err := admin.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	s, err := sql.Open(mysql.Driver, server.DSN(), sql.Options{CreateTable: true, PoolSize: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	set := func(value string) error {
		_, err := s.CompareAndSet(t.Context(), "key-to-find", nil, []byte(value), time.Hour)
		return err
	}
	says := func(err error, want string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "to-find") {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if err := set("v"); err != nil {
		t.Fatal(err)
	}
	exec("CREATE TRIGGER slow BEFORE INSERT ON sessions FOR EACH ROW SET @slept = SLEEP(0.5)")
	exec("SET GLOBAL max_statement_time = 0.1")
	slow, err := sql.Open(mysql.Driver, server.DSN(), sql.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	_, err = slow.CompareAndSet(t.Context(), "other-to-find", nil, []byte("v"), time.Hour)
	says(err, "the statement took longer than max_statement_time (error 1969)")
	exec("SET GLOBAL max_statement_time = 0")
	exec("DROP TRIGGER slow")
	exec("CREATE TRIGGER refuses BEFORE UPDATE ON sessions FOR EACH ROW SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = 1366, MESSAGE_TEXT = 'to-find'")
	_, err = s.CompareAndSet(t.Context(), "key-to-find", []byte("v"), []byte("w"), time.Hour)
	says(err, "the value does not fit into the column (error 1366)")
}

func administer(t *testing.T, server *sqltest.Server) *stdsql.DB {
	t.Helper()
	db, err := stdsql.Open("mysql", server.DSN())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// The server, by default, truncates values that are too long.
func TestNothingIsCutOff(t *testing.T) {
	server := sqltest.StartMariaDB(t, "sql-mode=")
	admin, err := stdsql.Open("mysql", server.DSN())
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	if _, err := admin.Exec("CREATE TABLE sessions (`key` varbinary(255) PRIMARY KEY, value blob, expires datetime(6))"); err != nil {
		t.Fatal(err)
	}
	s, err := sql.Open(mysql.Driver, server.DSN(), sql.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for size, fits := range map[int]bool{1<<16 - 1: true, 1 << 16: false} {
		_, err := s.CompareAndSet(t.Context(), "k", nil, bytes.Repeat([]byte("x"), size), time.Hour)
		if fits && err != nil || !fits && !errors.Is(err, sessionstore.ErrUnavailable) {
			t.Errorf("%d bytes: %v", size, err)
		}
		if fits {
			_, _ = s.CompareAndDelete(t.Context(), "k", bytes.Repeat([]byte("x"), size))
		}
	}
}

// With autocommit off, no statement would be committed: what was answered as saved would be seen on
// its own connection only, and be lost with it.
func TestSavedWithoutAutocommit(t *testing.T) {
	server := sqltest.StartMariaDB(t)
	s, err := sql.Open(mysql.Driver, server.DSN()+"?autocommit=0", sql.Options{CreateTable: true, PoolSize: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	db := administer(t, server)
	rows := func(want int) {
		t.Helper()
		var n int
		if err := db.QueryRow("SELECT COUNT(*) FROM sessions WHERE value = 'two'").Scan(&n); err != nil || n != want {
			t.Errorf("another connection sees %d records, want %d: %v", n, want, err)
		}
	}
	if _, err := s.CompareAndSet(t.Context(), "k", nil, []byte("one"), time.Hour); err != nil {
		t.Fatal(err)
	}
	if _, err := s.CompareAndSet(t.Context(), "k", []byte("one"), []byte("two"), time.Hour); err != nil {
		t.Fatal(err)
	}
	rows(1)
	if _, err := s.CompareAndDelete(t.Context(), "k", []byte("two")); err != nil {
		t.Fatal(err)
	}
	rows(0)
}

func BenchmarkStore(b *testing.B) {
	s := sqltest.StartMariaDB(b, "innodb-flush-log-at-trx-commit=1")
	suite.Benchmark(b, mysql.Driver, s.DSN())
}

func TestPlaceNamesTheDatabase(t *testing.T) {
	for dsn, want := range map[string]string{
		"u:secret@tcp(h:3307)/one":                     "h:3307 database one table sessions",
		"u:secret@unix(/run/my.sock)/two?charset=utf8": "/run/my.sock database two table sessions",
	} {
		if got := sql.Place(mysql.Driver, dsn, sql.Options{}); got != want {
			t.Errorf("%s: %s, want %s", dsn, got, want)
		}
	}
}
