package postgres_test

import (
	"bytes"
	stdsql "database/sql"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/internal/longtest"
	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/sql"
	"github.com/caddy-session/caddy-session/sessionstore/sql/postgres"
	"github.com/caddy-session/caddy-session/test/sqltest"
	"github.com/caddy-session/caddy-session/test/sqltest/suite"
)

func TestStore(t *testing.T) {
	s := sqltest.StartPostgres(t)
	suite.Run(t, postgres.Driver, "pgx", s.DSN(), s)
}

// The primary becomes read-only.
func TestFailover(t *testing.T) {
	longtest.Test(t)
	first, second := sqltest.StartPostgres(t), sqltest.StartPostgres(t)
	admin, err := stdsql.Open("pgx", first.DSN())
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	suite.Failover(t, postgres.Driver, first, second, first.DSNAt, func() {
		for _, statement := range []string{"ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()"} {
			if _, err := admin.Exec(statement); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(500 * time.Millisecond) // the existing connections notice it on their next use
	})
}

// The first of two servers accepts connections and says nothing, as one that hangs.
func TestSilentServerFirst(t *testing.T) {
	server := sqltest.StartPostgres(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	both := silent.Addr().String() + "," + server.Addr()
	s, err := sql.Open(postgres.Driver, server.DSNAt(both), sql.Options{CreateTable: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if _, err = s.CompareAndSet(t.Context(), "k", nil, []byte("one"), time.Hour); err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the second server is not reached: %v", err)
		}
	}
	if e, err := s.Get(t.Context(), "k"); err != nil || string(e.Value) != "one" {
		t.Errorf("%q, %v", e.Value, err)
	}
	if got := sql.Place(postgres.Driver, server.DSNAt(both), sql.Options{}); got != both+" database postgres table sessions" {
		t.Errorf("its place is %s", got)
	}
}

// The store is connected to a standby until the name or the load balancer leads to the primary. If
// it knows both, it takes the primary.
func TestStandby(t *testing.T) {
	primary := sqltest.StartPostgres(t)
	direct, err := sql.Open(postgres.Driver, primary.DSN(), sql.Options{CreateTable: true})
	if err != nil {
		t.Fatal(err)
	}
	defer direct.Close()
	if _, err := direct.CompareAndSet(t.Context(), "k", nil, []byte("one"), time.Hour); err != nil {
		t.Fatal(err)
	}
	standby := sqltest.StartStandby(t, primary)
	p := sqltest.StartProxy(t, standby.Addr())
	s, err := sql.Open(postgres.Driver, primary.DSNAt(p.Addr), sql.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if e, err := s.Get(t.Context(), "k"); err != nil || string(e.Value) != "one" {
		t.Fatalf("%q, %v", e.Value, err)
	}
	both, err := sql.Open(postgres.Driver, primary.DSNAt(standby.Addr()+","+primary.Addr()), sql.Options{DialTimeout: 30 * time.Second, Timeout: 30 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer both.Close()
	if _, err := both.CompareAndSet(t.Context(), "other", nil, []byte("one"), time.Hour); err != nil {
		t.Errorf("of a standby and the primary: %v", err)
	}
	_, err = s.CompareAndSet(t.Context(), "k", []byte("one"), []byte("two"), time.Hour)
	if !errors.Is(err, sessionstore.ErrUnavailable) || !strings.Contains(err.Error(), "read-only") {
		t.Errorf("at a standby: %v", err)
	}
	time.Sleep(time.Second)
	p.Lead(primary.Addr())
	if _, err := s.CompareAndSet(t.Context(), "k", []byte("one"), []byte("two"), time.Hour); err != nil {
		t.Errorf("at the primary: %v", err)
	}
}

func TestNoTLS(t *testing.T) {
	server := sqltest.StartPostgres(t)
	s, err := sql.Open(postgres.Driver, strings.Replace(server.DSN(), "disable", "require", 1), sql.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	_, err = s.Get(t.Context(), "k")
	if err == nil || !strings.Contains(err.Error(), "refused TLS") || strings.Contains(err.Error(), sqltest.Password) {
		t.Error(err)
	}
}

// The settings that PgBouncer in transaction mode needs.
func TestWithoutPreparedStatements(t *testing.T) {
	server := sqltest.StartPostgres(t, "default_transaction_isolation=serializable")
	for _, mode := range []string{"exec", "simple_protocol", "cache_describe", "cache_statement"} {
		s, err := sql.Open(postgres.Driver, server.DSN()+"&default_query_exec_mode="+mode, sql.Options{CreateTable: true, KeyPrefix: mode + ":"})
		if err != nil {
			t.Fatal(err)
		}
		every := []byte{0}
		for b := range 256 {
			every = append(every, byte(b))
		}
		var old []byte
		for _, value := range [][]byte{every, {}, []byte("two")} {
			if _, err := s.CompareAndSet(t.Context(), "k", old, value, time.Hour); err != nil {
				t.Errorf("%s: %v", mode, err)
			}
			if err := s.Touch(t.Context(), "k", value, 2*time.Hour); err != nil {
				t.Errorf("%s: %v", mode, err)
			}
			e, err := s.Get(t.Context(), "k")
			if err != nil || !bytes.Equal(e.Value, value) || e.TTL < time.Hour || e.TTL > 2*time.Hour {
				t.Errorf("%s: %v, %v", mode, e, err)
			}
			old = value
		}
		if _, err := s.CompareAndDelete(t.Context(), "k", old); err != nil {
			t.Errorf("%s: %v", mode, err)
		}
		_ = s.Close()
	}
	// With serializable isolation by default, the store must retry serialization failures.
	s, err := sql.Open(postgres.Driver, server.DSN(), sql.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var all sync.WaitGroup
	for w := range 8 {
		all.Go(func() {
			for i := range 30 {
				if _, err := s.CompareAndSet(t.Context(), "busy", nil, fmt.Appendf(nil, "%d %d", w, i), time.Hour); err != nil && !errors.Is(err, sessionstore.ErrConflict) {
					t.Error(err)
				}
				e, err := s.Get(t.Context(), "busy")
				if err != nil {
					t.Error(err)
				}
				if e.Found() {
					if _, err := s.CompareAndDelete(t.Context(), "busy", e.Value); err != nil && !errors.Is(err, sessionstore.ErrConflict) {
						t.Error(err)
					}
				}
			}
		})
	}
	all.Wait()
}

// A role that may use the table need not be allowed to create it.
func TestWhatTheRoleMayNot(t *testing.T) {
	server := sqltest.StartPostgres(t)
	admin, err := stdsql.Open("pgx", server.DSN())
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	first, err := sql.Open(postgres.Driver, server.DSN(), sql.Options{CreateTable: true})
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	if _, err := first.Get(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.Exec("CREATE ROLE app LOGIN PASSWORD '" + sqltest.Password + "'; REVOKE CREATE ON SCHEMA public FROM PUBLIC; GRANT SELECT, INSERT, UPDATE, DELETE ON sessions TO app"); err != nil {
		t.Fatal(err)
	}
	for table, works := range map[string]bool{"sessions": true, "others": false} {
		s, err := sql.Open(postgres.Driver, strings.Replace(server.DSN(), "//"+sqltest.User, "//app", 1), sql.Options{CreateTable: true, Table: table})
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.CompareAndSet(t.Context(), "k", nil, []byte("v"), time.Hour)
		if works != (err == nil) || !works && !strings.Contains(err.Error(), "permission denied") {
			t.Errorf("%s: %v", table, err)
		}
		_ = s.Close()
	}
}

func BenchmarkStore(b *testing.B) {
	s := sqltest.StartPostgres(b, "fsync=on")
	suite.Benchmark(b, postgres.Driver, s.DSN())
}
