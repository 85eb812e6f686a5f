// Package stores_test checks that the stores keep records where and how Flask-Session does, beside
// a client that does the same by hand.
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

// layouts returns the layouts of the dialect.
func layouts(t *testing.T) []layout.Layout {
	t.Helper()
	d := new(flasksession.Dialect)
	if err := d.Provision(caddy.Context{}); err != nil {
		t.Fatal(err)
	}
	return d.Format().Layouts
}

// layoutOf returns the layout for one store.
func layoutOf[L layout.Layout](t *testing.T) *L {
	t.Helper()
	for _, l := range layouts(t) {
		if l, ok := l.(L); ok {
			return &l
		}
	}
	t.Fatalf("no layout %T", *new(L))
	return nil
}

// TestStoresCanShare checks that every layout has a store.
func TestStoresCanShare(t *testing.T) {
	all := layouts(t)
	if len(all) != 5 {
		t.Errorf("got %d layouts", len(all))
	}
	for _, l := range all {
		info, err := caddy.GetModule(stores.Namespace + "." + l.Store())
		if err != nil {
			t.Error(err)
		} else if _, ok := info.New().(stores.Sharer); !ok {
			t.Errorf("store %s cannot share records", l.Store())
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

// want checks a record; "" means that there must be none.
func want(t testing.TB, s sessionstore.Store, key, value string) {
	t.Helper()
	e, err := s.Get(t.Context(), key)
	if err != nil || string(e.Value) != value {
		t.Errorf("got %q, %v; want %q", e.Value, err, value)
	}
}
