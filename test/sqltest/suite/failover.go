package suite

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/sql"
	"github.com/caddy-session/caddy-session/test/sqltest"
)

// Failover makes a database read-only without closing its connections, while new ones go to
// another. demote makes the first one read-only; DSNAt is for a user whom that affects.
func Failover(t *testing.T, d *sql.Driver, first, second *sqltest.Server, dsnAt func(addr string) string, demote func()) {
	ctx := t.Context()
	open := func(addr string) *sql.Store {
		t.Helper()
		s, err := sql.Open(d, dsnAt(addr), patient(sql.Options{CreateTable: true, PoolSize: connections}))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		warm(t, s)
		return s
	}
	open(first.Addr())
	open(second.Addr())
	p, late := sqltest.StartProxy(t, first.Addr()), sqltest.StartProxy(t, first.Addr())
	s, waits := open(p.Addr), open(late.Addr)
	demote()

	// New connections go to the second server: no change fails.
	p.Lead(second.Addr())
	changes(t, s)

	// New connections still go to the read-only server: changes fail at once, without a new
	// connection each time.
	before, start := late.Accepted(), time.Now()
	for i := range 50 {
		_, err := waits.CompareAndSet(ctx, fmt.Sprint("k", i), nil, []byte("v"), time.Hour)
		if !errors.Is(err, sessionstore.ErrUnavailable) || errors.Is(err, sessionstore.ErrConflict) || !strings.Contains(err.Error(), "read-only") {
			t.Fatal(err)
		}
		want(t, waits, "nothing", "")
	}
	took, made := time.Since(start), late.Accepted()-before
	t.Logf("50 failing changes took %v and %d connections", took, made)
	if made > 2*(1+int(took/time.Second)) {
		t.Errorf("50 failing changes took %v and %d connections", took, made)
	}
	late.Lead(second.Addr())
	for end := time.Now().Add(patience); save(t, waits, "late", "v", time.Hour) != nil; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the store has not recovered")
		}
	}
	changes(t, waits)
}

// connections is the size of a store's pool.
const connections = 8

// warm opens all connections of a store.
func warm(t *testing.T, s *sql.Store) {
	var all sync.WaitGroup
	for i := range 4 * connections {
		all.Go(func() { want(t, s, fmt.Sprint("warm", i), "") })
	}
	all.Wait()
}

// changes makes changes that must all succeed.
func changes(t *testing.T, s *sql.Store) {
	t.Helper()
	var all sync.WaitGroup
	for w := range connections {
		all.Go(func() {
			for i := range 10 {
				key := fmt.Sprintf("change%d-%d-%d", w, i, last.Add(1))
				if err := save(t, s, key, "v", time.Hour); err != nil {
					t.Error(err)
				}
				want(t, s, key, "v")
			}
		})
	}
	all.Wait()
}

// balancer is a load balancer without servers, which accepts connections and closes them.
func (db *database) balancer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_ = conn.Close()
		}
	}()
	s := db.openAt(t, db.server.DSNAt(l.Addr().String()), sql.Options{})
	t.Cleanup(func() { _ = s.Close() })
	db.cheap(t, s)
}
