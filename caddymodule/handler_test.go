package caddymodule

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-session/caddy-session/caddymodule/parts"
)

// A session counts for the host that the client named, even if a later handler rewrites it.
func TestHostRewrittenBehind(t *testing.T) {
	h := mustProvision(t, inMemory(t, ""))
	var data string
	next := func(w http.ResponseWriter, r *http.Request) error {
		data = r.Header.Get("X-Session-Data")
		r.Host = "app.internal"
		w.Header().Set("X-Session-Update", `{"a":1}`)
		return nil
	}
	w, err := serve(h, httptest.NewRequest(http.MethodGet, "http://example.com/", nil), next)
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]string{"example.com": `{"a":1}`, "app.internal": parts.EmptyData} {
		r := httptest.NewRequest(http.MethodGet, "http://"+host+"/", nil)
		r.AddCookie(w.Result().Cookies()[0])
		if _, err := serve(h, r, next); err != nil || data != want {
			t.Errorf("%s: data %s, want %s, %v", host, data, want, err)
		}
	}
}

// An error route, and an inner session, are for the host and the scheme that the client has used
// too.
func TestHostRewrittenBeforeAnErrorRoute(t *testing.T) {
	h, shop := mustProvision(t, inMemory(t, "")), mustProvision(t, inMemory(t, "name shop"))
	r := httptest.NewRequest(http.MethodGet, openly, nil)
	r.AddCookie(beginAt(t, h, openly))
	w := httptest.NewRecorder()
	r = prepare(w, r)
	caddyhttp.SetVar(r.Context(), caddyhttp.TrustedProxyVarKey, true)
	err := h.ServeHTTP(w, r, handlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		r.Host = "app.internal"
		r.Header.Set("X-Forwarded-Proto", "https")
		return shop.ServeHTTP(w, r, handlerFunc(func(http.ResponseWriter, *http.Request) error {
			if x := latest(r); x.host != "example.com" || x.secure {
				t.Errorf("the inner session has the host %s, over TLS: %t", x.host, x.secure)
			}
			return http.ErrHandlerTimeout
		}))
	}))
	if err == nil {
		t.Fatal("the handler has not failed")
	}
	var data string
	err = h.ServeHTTP(w, r, handlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		data = r.Header.Get("X-Session-Data")
		w.Header().Set("X-Session-Update", `{"seen":true}`)
		return nil
	}))
	if err != nil || data != `{"n":1}` || len(w.Result().Cookies()) > 0 {
		t.Errorf("the error route gets %s, the client %v, %v", data, w.Header(), err)
	}
}

// Every request of a site pays for this, with or without a session.
func TestAnonymousRequestsAreCheap(t *testing.T) {
	h := mustProvision(t, inMemory(t, ""))
	next := func(w http.ResponseWriter, _ *http.Request) error {
		w.WriteHeader(http.StatusOK)
		return nil
	}
	w := &discard{header: make(http.Header)}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	allocs := func(h *Handler) float64 {
		return testing.AllocsPerRun(200, func() {
			clear(w.header)
			clear(r.Header)
			if err := run(h, w, prepare(w, r), next); err != nil {
				t.Error(err)
			}
		})
	}
	// One for the exchange and one for its placeholders.
	if without, with := allocs(nil), allocs(h); with > without+2 {
		t.Errorf("%v allocations, at most 2 are allowed", with-without)
	}
}
