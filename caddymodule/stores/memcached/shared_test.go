package memcached

import (
	"strings"
	"testing"
	"time"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/layout"
	"github.com/caddy-session/caddy-session/test/memcachedtest"
)

const day = 24 * time.Hour

var python = layout.Memcached{Plain: 16, Zlib: 8}

func mustProvision(t *testing.T, text string) *Module {
	t.Helper()
	s, err := parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if err := provision(t, s); err != nil {
		t.Fatal(err)
	}
	return s
}

func shared(t *testing.T, text string, lifetime time.Duration) sessionstore.Store {
	t.Helper()
	store, release, err := mustProvision(t, text).OpenShared(python, lifetime)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	return store
}

// The store shares the items of an app.
func TestSharedWithApp(t *testing.T) {
	t.Parallel()
	addr := memcachedtest.Start(t).Addr
	app := memcache.New(addr)
	const key, value = "session:fe8977c2-34a9-4945-acc0-6c6821944b9f", "(dp0\nV_permanent\np1\nI01\ns."
	if err := app.Set(&memcache.Item{Key: key, Value: []byte(value), Flags: 16, Expiration: int32(time.Now().Add(31 * day).Unix())}); err != nil {
		t.Fatal(err)
	}
	text := "memcached " + addr + " {\ntimeout 5s\n}"
	store := shared(t, text, 31*day)
	if e, err := store.Get(t.Context(), key); err != nil || string(e.Value) != value || e.TTL != 31*day || !e.TTLUnknown {
		t.Errorf("%v, %v", e, err)
	}
	if _, err := store.CompareAndSet(t.Context(), key, []byte(value), []byte("(d."), 31*day); err != nil {
		t.Fatal(err)
	}
	if item, err := app.Get(key); err != nil || string(item.Value) != "(d." || item.Flags != 16 {
		t.Errorf("%v, %v", item, err)
	}

	own, release, err := mustProvision(t, text).Open()
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if shared(t, text, 31*day) != store {
		t.Error("two handlers with the same options do not share a store")
	}
	if own == store || shared(t, text, day) == store {
		t.Error("stores with different options are shared")
	}
}

func TestNotShared(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text   string
		layout layout.Layout
		says   string
	}{
		{"memcached", layout.Redis{}, `store memcached: the layout layout.Redis is not supported`},
		{"memcached {\nkey_prefix session:\n}", python, "store memcached: key_prefix: set it in the block of the dialect"},
		{"memcached a b", python, "store memcached: an app's records can be shared on one server only"},
	} {
		if _, _, err := mustProvision(t, test.text).OpenShared(test.layout, day); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v", test.text, err)
		}
	}
}
