package caddymodule

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/internal/wire"
)

var cacheLines = []struct {
	name, line string
	cached     bool
}{
	{"Age", "1", true}, {"Age", "99999999999999999999", true}, {"Age", "0", false}, {"Age", "x", false}, {"Age", "-1", false},
	{"Age", "0, 7", true}, {"Age", "7, 0", true}, {"Age", "0, 0", false},
	{"X-Varnish", "32770 5", true}, {"X-Varnish", "32770", false},
	{"Cache-Status", `ExampleCache; hit`, true}, {"Cache-Status", `"a b"; fwd=miss, other; hit; ttl=1`, true}, {"Cache-Status", "HIT", true},
	{"Cache-Status", `ExampleCache; fwd=uri-miss; stored`, false}, {"Cache-Status", `ExampleCache; hit=?0`, false}, {"Cache-Status", `hit; fwd=miss`, false},
	{"Cache-Status", `ExampleCache; fwd=stale; fwd-status=304`, true}, {"Cache-Status", `ExampleCache; fwd=stale; fwd-status=200`, false},
	{"Cache-Status", `ExampleCache; fwd=bypass; fwd-status=304`, false}, {"Cache-Status", `ExampleCache; fwd=uri-miss; collapsed`, true},
	{"Cache-Status", `ExampleCache; fwd=uri-miss; collapsed=?0`, false},
	{"X-Cache", "HIT", true}, {"X-Cache", "HIT from proxy.example.org", true}, {"X-Cache", "MISS, HIT", true}, {"X-Cache", "RefreshHit from cloudfront", true},
	{"X-Cache", "TCP_MEM_HIT", true}, {"X-Cache", "MISS", false}, {"X-Cache", "TCP_MISS from white", false},
	{"Cf-Cache-Status", "HIT", true}, {"Cf-Cache-Status", "STALE", true}, {"Cf-Cache-Status", "DYNAMIC", false}, {"Cf-Cache-Status", "MISS", false},
}

// A cache between Caddy and the app replays the response to another user's login.
func TestAttackReplayedByACache(t *testing.T) {
	for _, tt := range cacheLines {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodDelete} {
			h := mustProvision(t, inMemory(t, "capture X-User user\nvault app"))
			w, err := serve(h, httptest.NewRequest(method, "/", nil), func(w http.ResponseWriter, _ *http.Request) error {
				for name, value := range map[string]string{
					tt.name: tt.line, "X-Session-Update": `{"user":"victim"}`, "X-User": "victim", "Set-Cookie": "app=victim", "X-Session-Control": "regenerate",
				} {
					w.Header().Set(name, value)
				}
				w.WriteHeader(http.StatusOK)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			ignored := tt.cached && (method == http.MethodGet || method == http.MethodHead)
			if got := len(w.Result().Cookies()); (got == 0) != ignored {
				t.Errorf("%s, %s: %s: %d cookies", method, tt.name, tt.line, got)
			}
			for _, name := range []string{"X-Session-Update", "X-User", "X-Session-Control"} {
				if w.Header()[name] != nil {
					t.Errorf("%s, %s: %s: the client got %s", method, tt.name, tt.line, name)
				}
			}
		}
	}
}

// No header that overrules no-store in some cache stays beside the session cookie.
func TestNoCacheKeepsOurCookie(t *testing.T) {
	h := mustProvision(t, inMemory(t, ""))
	names := []string{"Cloudflare-CDN-Cache-Control", "CDN-Cache-Control", "Vercel-Cdn-Cache-Control", "X-Accel-Expires", "Edge-Control", "Surrogate-Control", "Expires"}
	for update, kept := range map[string]bool{`{"a":1}`: false, `{}`: true} {
		w, err := serve(h, httptest.NewRequest(http.MethodGet, "/", nil), func(w http.ResponseWriter, _ *http.Request) error {
			w.Header().Set("X-Session-Update", update)
			w.Header().Set("Cache-Control", "public, max-age=60")
			for _, name := range names {
				w.Header().Set(name, "max-age=60")
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if (w.Header()[http.CanonicalHeaderKey(name)] != nil) != kept {
				t.Errorf("%s: %s: %v", update, name, w.Header())
			}
		}
		if (w.Header().Get("Cache-Control") == "no-store") == kept {
			t.Errorf("%s: Cache-Control: %s", update, w.Header().Get("Cache-Control"))
		}
	}
}

// look sends a cookie, and returns the headers that the app gets.
func look(t *testing.T, h *Handler, c *http.Cookie) (given http.Header) {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Cookie", "lang=en")
	if c != nil {
		r.AddCookie(c)
	}
	if _, err := serve(h, r, func(_ http.ResponseWriter, r *http.Request) error {
		given = r.Header.Clone()
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return given
}

func TestPassThroughMark(t *testing.T) {
	h := mustProvision(t, inMemory(t, "cookie {\npass_through mark\n}"))
	c := create(t, h, `{"a":1}`)
	if got := look(t, h, c)["Cookie"]; len(got) != 1 || got[0] != "caddy_session=1; lang=en" {
		t.Errorf("with a session: %q", got)
	}
	for name, c := range map[string]*http.Cookie{"none": nil, "forged": {Name: "caddy_session", Value: "1"}} {
		if got := look(t, h, c)["Cookie"]; len(got) != 1 || got[0] != "lang=en" {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// A sub-request of templates has the page's mark in its cookies, and is in the page's session.
func TestPassThroughMarkInTemplates(t *testing.T) {
	for _, url := range []string{openly, overTLS} {
		h := mustProvision(t, inMemory(t, "cookie {\npass_through mark\n}"))
		r := httptest.NewRequest(http.MethodGet, url, nil)
		r.AddCookie(beginAt(t, h, url))
		var data, cookie string
		_, err := serve(h, r, func(w http.ResponseWriter, r *http.Request) error {
			include, _ := http.NewRequest(http.MethodGet, "/part", nil)
			include.Host, include.Header = r.Host, r.Header.Clone()
			include.Header.Set("Caddy-Templates-Include", "1")
			_, err := serve(h, include, func(_ http.ResponseWriter, part *http.Request) error {
				data, cookie = part.Header.Get("X-Session-Data"), part.Header.Get("Cookie")
				if cookie != r.Header.Get("Cookie") {
					t.Errorf("%s: the page has %q, the part %q", url, r.Header.Get("Cookie"), cookie)
				}
				return nil
			})
			return err
		})
		if err != nil || data != `{"n":1}` || !strings.HasSuffix(cookie, "caddy_session=1") {
			t.Errorf("%s: the part gets %s and %q, %v", url, data, cookie, err)
		}
	}
}

// A user whose session is too long for the app can still log out.
func TestMaxHeaders(t *testing.T) {
	const limit = 1000
	size := func(h http.Header) (n int) {
		for _, name := range []string{"X-Session-Data", "X-Session-Info", "X-Remote-User"} {
			n += wire.Size(name, h[name])
		}
		return n
	}
	for _, options := range []string{"", "encoding base64\n"} {
		h := mustProvision(t, inMemory(t, options+"inject X-Remote-User user\nmax_headers 1000"))
		c := create(t, h, `{"user":"ada","a":""}`)
		short := look(t, h, c)
		fill := limit - size(short)
		if options != "" {
			fill = fill / 4 * 3
		}
		for extra, fits := range map[int]bool{0: true, 4: false} {
			given := look(t, h, create(t, h, `{"user":"ada","a":"`+strings.Repeat("x", fill+extra)+`"}`))
			if got := !strings.HasSuffix(given.Get("X-Session-Info"), ", too-large"); got != fits || slices.Contains([]string{"{}", "e30="}, given.Get("X-Session-Data")) == fits {
				t.Errorf("%s%d bytes more: %q, %.60q", options, extra, given.Get("X-Session-Info"), given.Get("X-Session-Data"))
			}
			if given.Get("X-Remote-User") != "ada" || size(given) > limit {
				t.Errorf("%s%d bytes more: %d bytes, X-Remote-User %q", options, extra, size(given), given.Get("X-Remote-User"))
			}
		}
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.AddCookie(create(t, h, `{"a":"`+strings.Repeat("x", 2000)+`"}`))
		w, err := serve(h, r, respond(http.StatusOK, "X-Session-Control", "destroy"))
		if err != nil || len(w.Result().Cookies()) != 1 || w.Result().Cookies()[0].MaxAge >= 0 {
			t.Errorf("%slogout: %v, %v", options, w.Header(), err)
		}
	}
}

// Cookies of the vault are omitted if they are too long. If the app then sets a new session cookie,
// the old session ends.
func TestMaxHeadersAndTheVault(t *testing.T) {
	h := mustProvision(t, inMemory(t, "vault app big\nmax_headers 1000"))
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	w, err := serve(h, r, func(w http.ResponseWriter, _ *http.Request) error {
		w.Header()["Set-Cookie"] = []string{"app=1", "big=" + strings.Repeat("x", 900)}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	c := w.Result().Cookies()[0]
	if got := look(t, h, c).Get("Cookie"); got != "lang=en" {
		t.Fatalf("the app got %.60q", got)
	}
	r = httptest.NewRequest(http.MethodGet, "/", nil)
	r.AddCookie(c)
	if w, err = serve(h, r, respond(http.StatusOK, "Set-Cookie", "app=2")); err != nil {
		t.Fatal(err)
	}
	if got := look(t, h, w.Result().Cookies()[0]).Get("Cookie"); got != "app=2; lang=en" {
		t.Errorf("the app got %.60q", got)
	}
	if info := look(t, h, c).Get("X-Session-Info"); info != "exists=?0" {
		t.Errorf("the former session: %s", info)
	}
}

// Node's setHeader sends each character as one byte.
func TestISO88591(t *testing.T) {
	for name, value := range map[string]string{"X-Session-Update": "{\"user\":\"Zo\xeb\"}", "X-User": "Zo\xeb"} {
		h := mustProvision(t, inMemory(t, "capture X-User user"))
		w, err := serve(h, httptest.NewRequest(http.MethodGet, "/", nil), respond(http.StatusOK, name, value))
		if err != nil {
			t.Fatal(err)
		}
		if got := look(t, h, w.Result().Cookies()[0]).Get("X-Session-Data"); got != `{"user":"Zo\u00eb"}` {
			t.Errorf("%s: %s", name, got)
		}
	}
}
