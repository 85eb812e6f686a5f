package mysql_test

import (
	"bytes"
	stdsql "database/sql"
	"errors"
	"testing"
	"time"

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

// TestNothingIsCutOff uses a server that stores what fits of a value, by default.
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

func BenchmarkStore(b *testing.B) {
	s := sqltest.StartMariaDB(b, "innodb-flush-log-at-trx-commit=1")
	suite.Benchmark(b, mysql.Driver, s.DSN())
}
