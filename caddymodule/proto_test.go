package caddymodule

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-session/caddy-session/caddymodule/cookie"
)

// This tests which one of several values of X-Forwarded-Proto counts.
func TestForwardedProto(t *testing.T) {
	for _, test := range []struct {
		name    string
		lines   []string
		trusted bool
		want    bool
	}{
		{"nothing", nil, true, false},
		{"https", []string{"https"}, true, true},
		{"in another case", []string{"HTTPS"}, true, true},
		{"http", []string{"http"}, true, false},
		{"from an untrusted proxy", []string{"https"}, false, false},
		{"a list, which each proxy adds to", []string{"https, http"}, true, true},
		{"a list with blanks", []string{" https ,http,http"}, true, true},
		{"a list of a client without TLS", []string{"http, https"}, true, false},
		{"two lines: reverse_proxy believes the last", []string{"http", "https"}, true, true},
		{"two lines the other way round", []string{"https", "http"}, true, false},
		{"a list in the last line", []string{"http", "https, http"}, true, true},
		{"an empty last line", []string{"https", ""}, true, false},
		{"something else", []string{"httpsx"}, true, false},
	} {
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header["X-Forwarded-Proto"] = test.lines
		r = prepare(w, r)
		caddyhttp.SetVar(r.Context(), caddyhttp.TrustedProxyVarKey, test.trusted)
		if got := cookie.OverTLS(r); got != test.want {
			t.Errorf("%s: %q: over TLS: %t", test.name, test.lines, got)
		}
	}
}

// The vault keeps a Secure cookie where a browser would.
func TestForwardedProtoOfTheVault(t *testing.T) {
	h := mustProvision(t, inMemory(t, "vault app"))
	for proto, want := range map[string]string{"https, http": "app=1", "http, https": "", "http": ""} {
		ask := func(cookies []*http.Cookie, next caddyhttp.HandlerFunc) []*http.Cookie {
			w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header.Set("X-Forwarded-Proto", proto)
			for _, c := range cookies {
				r.AddCookie(c)
			}
			r = prepare(w, r)
			caddyhttp.SetVar(r.Context(), caddyhttp.TrustedProxyVarKey, true)
			if err := h.ServeHTTP(w, r, next); err != nil {
				t.Fatal(err)
			}
			return w.Result().Cookies()
		}
		cookies := ask(nil, func(w http.ResponseWriter, _ *http.Request) error {
			w.Header().Set("X-Session-Update", `{"a":1}`)
			w.Header().Set("Set-Cookie", "app=1; Secure")
			return nil
		})
		ask(cookies, func(_ http.ResponseWriter, r *http.Request) error {
			if got := r.Header.Get("Cookie"); got != want {
				t.Errorf("%q: the app gets %q, want %q", proto, got, want)
			}
			return nil
		})
	}
}

// A handler that cannot take over the connection, as in HTTP/2, answers in another way. That is the
// response, for session and for session_clean.
func TestHijackWhereThereIsNone(t *testing.T) {
	h := mustProvision(t, inMemory(t, ""))
	c := h.clean()
	if err := c.Provision(caddy.Context{Context: t.Context()}); err != nil {
		t.Fatal(err)
	}
	for cookies, handler := range []caddyhttp.MiddlewareHandler{c, h} {
		w := httptest.NewRecorder()
		err := handler.ServeHTTP(w, prepare(w, httptest.NewRequest(http.MethodGet, "/", nil)), handlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
			if _, _, err := http.NewResponseController(w).Hijack(); !errors.Is(err, http.ErrNotSupported) {
				t.Errorf("%T: error %v", handler, err)
			}
			w.Header().Set("X-Session-Update", `{"a":1}`)
			w.WriteHeader(http.StatusNotImplemented)
			return nil
		}))
		if err != nil || w.Code != http.StatusNotImplemented || w.Result().Header["X-Session-Update"] != nil || len(w.Result().Cookies()) != cookies {
			t.Errorf("%T: status %d, %v, %v", handler, w.Code, w.Result().Header, err)
		}
	}
}
