package main

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/caddy-session/caddy-session/test/memcachedtest"
	"github.com/caddy-session/caddy-session/test/mongotest"
	"github.com/caddy-session/caddy-session/test/redistest"
	"github.com/caddy-session/caddy-session/test/sqltest"
)

// servers are those of the tests, by the placeholders of their addresses. None writes to disk what
// it is asked to keep: what is measured is the proxy.
var servers = map[string]func(testing.TB) string{
	"$REDIS":     func(t testing.TB) string { return redistest.Start(t, redistest.Options{}).Addr() },
	"$MEMCACHED": func(t testing.TB) string { return memcachedtest.Start(t).Addr },
	"$MONGODB":   func(t testing.TB) string { return mongotest.Start(t).URI() },
	"$POSTGRES":  func(t testing.TB) string { return sqltest.StartPostgres(t).DSN() },
	"$MARIADB":   func(t testing.TB) string { return sqltest.StartMariaDB(t).DSN() },
}

// errMissing says that a server is not installed.
var errMissing = errors.New("missing")

// tb is what the tests' servers are started with outside of a test. They call no other methods.
type tb struct {
	testing.TB

	dir      string
	cleanups []func()
}

// stopped is the panic of a tb that ends what it was given to.
type stopped struct{ error }

func (t *tb) Helper()             {}
func (t *tb) Logf(string, ...any) {}
func (t *tb) Failed() bool        { return false }
func (t *tb) Cleanup(f func())    { t.cleanups = append(t.cleanups, f) }
func (t *tb) Fatal(args ...any)   { panic(stopped{errors.New(fmt.Sprint(args...))}) }

func (t *tb) Fatalf(format string, args ...any) { panic(stopped{fmt.Errorf(format, args...)}) }

func (t *tb) Skipf(format string, args ...any) {
	panic(stopped{fmt.Errorf("%w: %s", errMissing, fmt.Sprintf(format, args...))})
}

func (t *tb) TempDir() string {
	dir, err := os.MkdirTemp(t.dir, "server")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// start starts a server and returns its address.
func (t *tb) start(server func(testing.TB) string) (addr string, err error) {
	defer func() {
		if p := recover(); p != nil {
			stop, ok := p.(stopped)
			if !ok {
				panic(p)
			}
			err = stop.error
		}
	}()
	return server(t), nil
}

// end ends all servers.
func (t *tb) end() {
	for _, f := range t.cleanups {
		f()
	}
}
