package caddymodule

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/caddy-session/caddy-session/internal/vault"
)

func TestVaultOptions(t *testing.T) {
	for _, tt := range []struct{ options, complaint string }{
		{"vault", "value"},
		{"vault a\nvault b", "vault is given twice"},
		{"vault a;b", "vault: "},
		{`vault "a b"`, "vault: "},
		{`vault ""`, "vault: "},
		{"vault caddy_session", "the session cookie"},
		{"name shop\nvault caddy_session_shop", "the session cookie"},
		{"name shop\nvault __Host-caddy_session_shop", "the session cookie"},
		{"vault sid\ncookie {\nname sid\n}", "the session cookie"},
	} {
		if _, err := provision(t, inMemory(t, tt.options)); err == nil || !strings.Contains(err.Error(), tt.complaint) {
			t.Errorf("%s: %v", tt.options, err)
		}
	}
	for options, permanent := range map[string]bool{
		"":                                      true,
		"vault sid":                             false,
		"vault * caddy_*":                       false,
		"vault sid\ncookie {\npermanent on\n}":  true,
		"vault sid\ncookie {\npermanent off\n}": false,
		"vault sid\ncookie {\nname x\n}":        false,
	} {
		if h := mustProvision(t, inMemory(t, options)); h.cookie.Permanent != permanent {
			t.Errorf("%s: permanent %v", options, h.cookie.Permanent)
		}
	}
}

// session_clean removes the vault's cookies too, and knows the session cookie.
func TestVaultIsKnownToTheCleaner(t *testing.T) {
	text := "example.org {\nsession /app/* {\nname shop\nvault * sid\n}\n}"
	config, _, err := caddyfile.Adapter{ServerType: httpcaddyfile.ServerType{}}.Adapt([]byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	want, _ := json.Marshal([]string{"*", "sid"})
	cleaner := `"cookies":["caddy_session_shop","__Host-caddy_session_shop"],"handler":"session_clean","headers":`
	if got := string(config); !strings.Contains(got, cleaner) || strings.Count(got, `"vault":`+string(want)) != 2 {
		t.Error(got)
	}
}

func TestForgedCookiesAreRemoved(t *testing.T) {
	patterns, err := vault.NewPatterns([]string{"sid"}, "caddy_session")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ sent, left []string }{
		{nil, nil},
		{[]string{"a=1"}, []string{"a=1"}},
		{[]string{"sid=1"}, nil},
		{[]string{"sid=1", "a=1; sid=2;  b=2", "; ;"}, []string{"a=1;  b=2"}},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		if tt.sent != nil {
			r.Header["Cookie"] = tt.sent
		}
		removeForgedCookies(r, &patterns, nil, false)
		if got := r.Header["Cookie"]; strings.Join(got, "|") != strings.Join(tt.left, "|") || (got == nil) != (tt.left == nil) {
			t.Errorf("of %q, %q is left", tt.sent, got)
		}
	}
}

// BenchmarkVault is a request with three cookies in the vault.
func BenchmarkVault(b *testing.B) {
	h := mustProvision(b, inMemory(b, "vault app_*"))
	w, err := serve(h, httptest.NewRequest(http.MethodGet, "/", nil), func(w http.ResponseWriter, _ *http.Request) error {
		w.Header()["Set-Cookie"] = []string{"app_a=1; Path=/", "app_b=2; Path=/; HttpOnly", "app_c=3; Path=/; Max-Age=3600"}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	cookies := []string{w.Result().Cookies()[0].String() + "; other=1"}
	b.ReportAllocs()
	for b.Loop() {
		r.Header = http.Header{"Cookie": cookies}
		if _, err := serve(h, r, func(http.ResponseWriter, *http.Request) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}

// What an app says to vary by cookies that the browser does not have is not kept by it: after a
// logout, a conditional request would bring it back.
func TestPagesThatVaryByHiddenCookiesAreNotKept(t *testing.T) {
	for options, want := range map[string]string{"vault app": "no-store", "adopt flask {\nsecret dev\n}": "no-store", "": "private"} {
		h := mustProvision(t, inMemory(t, options))
		for _, vary := range []string{"Accept-Encoding, cookie", "Cookie"} {
			w, err := serve(h, withCookies(), answering("Vary", vary, "Cache-Control", "private"))
			if got := w.Header().Get("Cache-Control"); err != nil || got != want {
				t.Errorf("%q, Vary: %s: Cache-Control: %s, want %s (%v)", options, vary, got, want, err)
			}
		}
		if w, _ := serve(h, withCookies(), answering("Cache-Control", "private")); w.Header().Get("Cache-Control") != "private" {
			t.Errorf("%q: a page that does not vary by cookies has %s", options, w.Header())
		}
	}
}

// What pages are made of, as the scripts and pictures of Flask apps that look at the session in
// each request, is not loaded anew for each page: the browser asks whether it has changed.
func TestPartsOfPagesThatVaryByHiddenCookiesAreAskedFor(t *testing.T) {
	h := mustProvision(t, inMemory(t, "vault app"))
	for _, tt := range []struct{ dest, etag, said, want string }{
		{"script", `"1"`, "no-cache", "private, no-cache"},
		{"style", `"1"`, "", "private, no-cache"},
		{"font", `W/"1"`, "public, max-age=60", "private, no-cache"},
		{"image", `"1"`, "private", "private, no-cache"},
		{"image", `"1"`, "private, No-Store", "no-store"},
		{"image", "", "no-cache", "no-store"},
		{"document", `"1"`, "no-cache", "no-store"},
		{"empty", `"1"`, "no-cache", "no-store"},
		{"", `"1"`, "no-cache", "no-store"},
	} {
		r := withCookies()
		r.Header.Set("Sec-Fetch-Dest", tt.dest)
		w, err := serve(h, r, answering("Vary", "Cookie", "Etag", tt.etag, "Cache-Control", tt.said, "Expires", "then", "Surrogate-Control", "max-age=60"))
		head := w.Header()
		if got := head["Cache-Control"]; err != nil || !slices.Equal(got, []string{tt.want}) || head["Expires"] != nil || head["Surrogate-Control"] != nil {
			t.Errorf("%q: %v, want Cache-Control: %s (%v)", tt, head, tt.want, err)
		}
	}
	// Our own cookie is in no cache.
	r := withCookies()
	r.Header.Set("Sec-Fetch-Dest", "script")
	w, err := serve(h, r, answering("Vary", "Cookie", "Etag", `"1"`, "Set-Cookie", "app=1"))
	if got := w.Header()["Cache-Control"]; err != nil || w.Header()["Set-Cookie"] == nil || !slices.Equal(got, []string{"no-store"}) {
		t.Errorf("with our own cookie: Cache-Control: %q (%v)", got, err)
	}
}

// What an app sends with a cookie for the vault, as pgAdmin does with every script, stays in the
// browser's cache as without the proxy, but in no other.
func TestBrowsersKeepWhatComesWithAVaultedCookie(t *testing.T) {
	h := mustProvision(t, inMemory(t, "vault app"))
	set := []string{"Set-Cookie", "app=1; Path=/; Expires=Fri, 01 Jan 2100 00:00:00 GMT"}
	w, err := serve(h, withCookies(), answering(set...))
	if got := w.Header()["Cache-Control"]; err != nil || !slices.Equal(got, []string{"no-store"}) {
		t.Fatalf("with our own cookie: Cache-Control: %q (%v)", got, err)
	}
	ours := w.Result().Cookies()
	for said, want := range map[string]string{
		"":                                 "private",
		"public, max-age=60, immutable":    "private, max-age=60, immutable",
		"no-cache, s-maxage=9":             "private, no-cache",
		"Private=\"A, B\", max-age=60":     "private, B\", max-age=60",
		"no-store":                         "private, no-store",
		"max-age=60, must-revalidate, , x": "private, max-age=60, must-revalidate, x",
	} {
		app := append(slices.Clone(set), "Expires", "then", "CDN-Cache-Control", "max-age=60", "Surrogate-Control", "max-age=60")
		if said != "" {
			app = append(app, "Cache-Control", said)
		}
		w, err := serve(h, withCookies(ours...), answering(app...))
		head := w.Header()
		if got := head["Cache-Control"]; err != nil || !slices.Equal(got, []string{want}) {
			t.Errorf("%q: Cache-Control: %q, want %q (%v)", said, got, want, err)
		}
		if head.Get("Expires") != "then" || head["Cdn-Cache-Control"] != nil || head["Surrogate-Control"] != nil || head["Set-Cookie"] != nil {
			t.Errorf("%q: %v", said, head)
		}
	}
}
