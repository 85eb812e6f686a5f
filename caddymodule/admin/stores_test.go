package admin

import (
	"testing"

	"github.com/caddy-session/caddy-session/caddymodule/keep"
	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/memory"
)

// Two handlers use one place with different options, or the handlers of two configurations do so
// for as long as a request of the old one takes. It is one store, which can be named. Where nobody
// knows the place, or the places differ, there are two.
func TestOnePlaceIsOneStore(t *testing.T) {
	type client struct{ sessionstore.Store }
	shared := memory.New(memory.Options{})
	t.Cleanup(func() { _ = shared.Close() })
	for name, test := range map[string]struct {
		one, two sessionstore.Store
		places   [2]string
		want     int
	}{
		"one place":        {&client{shared}, &client{shared}, [2]string{"localhost:6379", "localhost:6379"}, 1},
		"two places":       {&client{shared}, &client{shared}, [2]string{"localhost:6379", "localhost:6380"}, 2},
		"unknown places":   {&client{shared}, &client{shared}, [2]string{}, 2},
		"an unnamed store": {shared, shared, [2]string{}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var stores []*keep.Store
			for i, store := range []sessionstore.Store{test.one, test.two} {
				k, err := keep.NewStore(keep.StoreOptions{
					Open:  func() (sessionstore.Store, func(), error) { return store, func() {}, nil },
					About: keep.About{Kind: "redis", Place: test.places[i], Dialect: "native", Site: "site"},
				})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(k.Cleanup)
				stores = append(stores, k)
			}
			o, err := Open(stores, nil)
			defer o.Release()
			if err != nil {
				t.Fatal(err)
			}
			if len(o.parts) != test.want {
				t.Fatalf("%d stores, want %d", len(o.parts), test.want)
			}
			latest := o.parts[0]
			if p, err := o.named(latest.Name); test.places[0] != "" && (err != nil || p != latest) {
				t.Errorf("by its name: %v", err)
			}
			if test.want == 1 && (latest.store != test.two || len(latest.all) != 1) {
				t.Error("the store of the earlier handler is used")
			}
		})
	}
}
