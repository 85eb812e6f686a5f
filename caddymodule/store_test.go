package caddymodule

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/memory"
)

// countedStore counts how often it was opened and released.
type countedStore struct {
	sessionstore.Store
	opened, released atomic.Int32
}

func (c *countedStore) Open() (sessionstore.Store, func(), error) {
	c.opened.Add(1)
	return c.Store, func() { c.released.Add(1) }, nil
}

func withCountedStore(t *testing.T, options string) (*Handler, *countedStore) {
	t.Helper()
	h := mustProvision(t, inMemory(t, options))
	store := memory.New(memory.Options{})
	t.Cleanup(func() { _ = store.Close() })
	counted := &countedStore{Store: store}
	withStore(t, h, "counted", counted.Open)
	return h, counted
}

// A running request keeps the store open when its configuration is cleaned up, until its commit. A
// stream may go on for hours after that.
func TestStoreOutlivesCleanup(t *testing.T) {
	h, store := withCountedStore(t, "")
	_, err := serve(h, httptest.NewRequest(http.MethodGet, "/", nil), func(w http.ResponseWriter, _ *http.Request) error {
		if err := h.Cleanup(); err != nil {
			return err
		}
		if n := store.released.Load(); n != 0 {
			t.Errorf("the store was given back %d times while a request was under way", n)
		}
		w.Header().Set("X-Session-Update", `{"a":1}`)
		w.WriteHeader(http.StatusOK)
		if n := store.released.Load(); n != 1 {
			t.Errorf("the store was given back %d times after the commit, want 1", n)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if opened, released := store.opened.Load(), store.released.Load(); opened != 1 || released != 1 {
		t.Errorf("the store was opened %d times and given back %d times, want 1 and 1", opened, released)
	}
}

// A request that begins after its configuration was cleaned up opens the store and releases it.
func TestRequestAfterCleanup(t *testing.T) {
	h, store := withCountedStore(t, "")
	cookie := create(t, h, `{"a":1}`)
	if err := h.Cleanup(); err != nil {
		t.Fatal(err)
	}
	if n := store.released.Load(); n != 1 {
		t.Fatalf("the store was given back %d times, want 1", n)
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.AddCookie(cookie)
	_, err := serve(h, r, func(_ http.ResponseWriter, r *http.Request) error {
		if got := r.Header.Get("X-Session-Data"); got != `{"a":1}` {
			t.Errorf("data %s", got)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if opened, released := store.opened.Load(), store.released.Load(); opened != 2 || released != 2 {
		t.Errorf("the store was opened %d times and given back %d times, want 2 and 2", opened, released)
	}
}

// A handler that panics leaves nothing open, and its panic goes on.
func TestPanicReleasesTheStore(t *testing.T) {
	h, store := withCountedStore(t, "")
	func() {
		defer func() {
			if p := recover(); p != "boom" {
				t.Errorf("recovered %v", p)
			}
		}()
		_, _ = serve(h, httptest.NewRequest(http.MethodGet, "/", nil), func(http.ResponseWriter, *http.Request) error { panic("boom") })
	}()
	if err := h.Cleanup(); err != nil {
		t.Fatal(err)
	}
	if n := store.released.Load(); n != 1 {
		t.Errorf("the store was given back %d times, want 1", n)
	}
}

// A request keeps its session from idling out until its response is over, which may be long after
// the head. A stream does not.
func TestRunningRequestsKeepTheirSession(t *testing.T) {
	for name, c := range map[string]struct {
		kind              string
		headFirst, expire bool
	}{
		"before the head": {"text/html", false, false},
		"a download":      {"application/zip", true, false},
		"an event stream": {"text/event-stream", true, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, store := withCountedStore(t, "idle_timeout 1h\nstreams keep")
				cookie := create(t, h, `{"a":1}`)
				sgn, err := h.secret.Get(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				id, _, _ := sgn.Verify(cookie.Value)
				found := func() bool {
					entry, err := store.Get(context.Background(), sessionstore.Ref(id))
					if err != nil {
						t.Fatal(err)
					}
					return entry.Found()
				}
				r := httptest.NewRequest(http.MethodGet, "/", nil)
				r.AddCookie(cookie)
				_, err = serve(h, r, func(w http.ResponseWriter, r *http.Request) error {
					w.Header().Set("Content-Type", c.kind)
					if c.headFirst {
						w.WriteHeader(http.StatusOK)
					}
					time.Sleep(3 * time.Hour)
					if found() == c.expire {
						t.Errorf("the session has idled out under a request: %t", !c.expire)
					}
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Hour + time.Second)
				if found() {
					t.Error("the session has not idled out after the request")
				}
			})
		})
	}
}
