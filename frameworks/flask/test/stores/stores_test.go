// Package stores_test has the stores keep the records of Flask-Session where and as it does, next
// to one that does the same by hand.
package stores_test

import (
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-session/caddy-session/caddymodule/stores"
	"github.com/caddy-session/caddy-session/frameworks/flask/flasksession"
	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/layout"

	_ "github.com/caddy-session/caddy-session/caddymodule"
	_ "github.com/caddy-session/caddy-session/caddymodule/stores/memcached"
	_ "github.com/caddy-session/caddy-session/caddymodule/stores/mongodb"
	_ "github.com/caddy-session/caddy-session/caddymodule/stores/sql"
)

// layouts are those of the dialect.
func layouts(t *testing.T) []layout.Layout {
	t.Helper()
	d := new(flasksession.Dialect)
	if err := d.Provision(caddy.Context{}); err != nil {
		t.Fatal(err)
	}
	return d.Format().Layouts
}

// layoutOf is the one for a store.
func layoutOf[L layout.Layout](t *testing.T) *L {
	t.Helper()
	for _, l := range layouts(t) {
		if l, ok := l.(L); ok {
			return &l
		}
	}
	t.Fatalf("there is no %T", *new(L))
	return nil
}

// TestStoresCanShare has a store for each layout.
func TestStoresCanShare(t *testing.T) {
	all := layouts(t)
	if len(all) != 5 {
		t.Errorf("there are %d", len(all))
	}
	for _, l := range all {
		info, err := caddy.GetModule(stores.Namespace + "." + l.Store())
		if err != nil {
			t.Error(err)
		} else if _, ok := info.New().(stores.Sharer); !ok {
			t.Errorf("store %s shares nothing", l.Store())
		}
	}
}

// save creates a record.
func save(t testing.TB, s sessionstore.Store, key, value string, ttl time.Duration) {
	t.Helper()
	if _, err := s.CompareAndSet(t.Context(), key, nil, []byte(value), ttl); err != nil {
		t.Fatal(err)
	}
}

// want checks a record; the empty string stands for none.
func want(t testing.TB, s sessionstore.Store, key, value string) {
	t.Helper()
	e, err := s.Get(t.Context(), key)
	if err != nil || string(e.Value) != value {
		t.Errorf("there is %q, %v; want %q", e.Value, err, value)
	}
}
