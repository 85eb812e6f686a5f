package caddymodule

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

const (
	overTLS = "https://example.com/"
	openly  = "http://example.com/"
)

// saving is an app that changes the session of a handler with this name.
func saving(w http.ResponseWriter, r *http.Request) error {
	prefix := "X-Session-"
	if r.Header["X-Session-Shop-Data"] != nil {
		prefix += "Shop-"
	}
	w.Header().Set(prefix+"Update", `[{"op":"increment","path":"/n","value":1}]`)
	return nil
}

// given returns the data and the cookies that the app gets with this Cookie header.
func given(t *testing.T, h *Handler, url, cookie string) (data, cookies string) {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, url, nil)
	r.Header.Set("Cookie", cookie)
	_, err := serve(h, r, func(_ http.ResponseWriter, r *http.Request) error {
		data, cookies = r.Header.Get(h.names.data), strings.Join(r.Header["Cookie"], "|")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return data, cookies
}

// beginAt begins a session at a URL and returns its cookie.
func beginAt(t *testing.T, h *Handler, url string) *http.Cookie {
	t.Helper()
	w, err := serve(h, httptest.NewRequest(http.MethodGet, url, nil), saving)
	if err != nil {
		t.Fatal(err)
	}
	cookies := w.Result().Cookies()
	if len(cookies) != 1 {
		t.Fatalf("%d cookies", len(cookies))
	}
	return cookies[0]
}

// The configuration defines which name is used.
func TestHostCookieNames(t *testing.T) {
	const trusted = "__Host-"
	for _, tt := range []struct{ name, options, plain, tls string }{
		{"default", "", "caddy_session", trusted + "caddy_session"},
		{"a name of the handler", "name shop", "caddy_session_shop", trusted + "caddy_session_shop"},
		{"attributes that do no harm", "cookie {\nsecure on\nsame_site none\npartitioned on\nhttp_only off\npermanent off\n}", "caddy_session", trusted + "caddy_session"},
		{"path /", "cookie {\npath /\n}", "caddy_session", trusted + "caddy_session"},
		{"vault", "vault *", "caddy_session", trusted + "caddy_session"},
		{"adopt", "adopt flask {\nsecret dev\n}", "caddy_session", trusted + "caddy_session"},
		{"a name of the cookie", "cookie {\nname caddy_session\n}", "caddy_session", "caddy_session"},
		{"a domain", "cookie {\ndomain example.com\n}", "caddy_session", "caddy_session"},
		{"a path", "cookie {\npath /app\n}", "caddy_session", "caddy_session"},
		{"secure off", "cookie {\nsecure off\n}", "caddy_session", "caddy_session"},
		{"pass_through on", "cookie {\npass_through on\n}", "caddy_session", "caddy_session"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := mustProvision(t, inMemory(t, tt.options))
			for url, name := range map[string]string{openly: tt.plain, overTLS: tt.tls} {
				c := beginAt(t, h, url)
				if c.Name != name {
					t.Errorf("%s: %s, want %s", url, c, name)
				}
				if data, _ := given(t, h, url, c.Name+"="+c.Value); data != `{"n":1}` {
					t.Errorf("%s: the session is not found again: %s", url, data)
				}
				x := &exchange{h: h, secure: url == overTLS}
				if x.cannotBePlanted() != strings.HasPrefix(name, trusted) {
					t.Errorf("%s: cannotBePlanted says %t", url, x.cannotBePlanted())
				}
			}
		})
	}
	h := mustProvision(t, inMemory(t, "cookie {\nname __HOST-x\nsecure on\n}"))
	if x := (&exchange{h: h}); !x.cannotBePlanted() {
		t.Error("a cookie whose configured name has the prefix is none of a neighbour's")
	}
	h = mustProvision(t, "dialect flask {\nsecret dev\n}\ncookie {\npass_through off\n}")
	if c := beginAt(t, h, overTLS); c.Name != "session" {
		t.Errorf("a dialect with a name of its own uses %s", c.Name)
	}
}

// A neighbouring subdomain plants a cookie for the whole domain. Over TLS it does not count, with
// or without a session cookie beside it, and the app gets neither.
func TestAttackPlantedCookieOverTLS(t *testing.T) {
	h := mustProvision(t, inMemory(t, ""))
	planted, ours := beginAt(t, h, openly), beginAt(t, h, overTLS)
	evil := planted.Name + "=" + planted.Value
	for _, cookie := range []string{evil, evil + "; a=1", "a=1; " + evil} {
		if data, cookies := given(t, h, overTLS, cookie); data != "{}" || strings.Contains(cookies, "caddy_session") {
			t.Errorf("of %s, the app got %s and %s", cookie, data, cookies)
		}
	}
	r := httptest.NewRequest(http.MethodGet, overTLS, nil)
	r.Header.Set("Cookie", evil)
	w, err := serve(h, r, saving)
	if err != nil {
		t.Fatal(err)
	}
	fresh := w.Result().Cookies()
	if len(fresh) != 1 || fresh[0].Name != ours.Name || !fresh[0].Secure || fresh[0].Value == planted.Value {
		t.Fatalf("cookies %v", fresh)
	}
	mine := ours.Name + "=" + ours.Value
	for _, cookie := range []string{evil + "; " + mine + "; a=1", mine + "; a=1; " + evil} {
		if _, err := serve(h, withCookie(overTLS, cookie), saving); err != nil {
			t.Fatal(err)
		}
		if _, cookies := given(t, h, overTLS, cookie); cookies != "a=1" {
			t.Errorf("the app got %s", cookies)
		}
	}
	if data, _ := given(t, h, openly, evil); data != `{"n":1}` {
		t.Errorf("the planted session has changed: %s", data)
	}
	if data, _ := given(t, h, overTLS, mine); data != `{"n":3}` {
		t.Errorf("our session: %s", data)
	}
	// A logout with the planted cookie ends no session and expires no cookie.
	w, err = serve(h, withCookie(overTLS, evil), func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("X-Session-Control", "destroy")
		return nil
	})
	if err != nil || w.Header()["Set-Cookie"] != nil {
		t.Errorf("%v, Set-Cookie %q", err, w.Header()["Set-Cookie"])
	}
}

func withCookie(url, cookie string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, url, nil)
	r.Header.Set("Cookie", cookie)
	return r
}

// Without TLS, browsers would refuse the name with the prefix, so the other one is used. A cookie
// with the prefix does not count, and the app does not get it.
func TestHostCookieWithoutTLS(t *testing.T) {
	h := mustProvision(t, inMemory(t, ""))
	c := beginAt(t, h, openly)
	if c.Secure {
		t.Error("Secure")
	}
	secure := beginAt(t, h, overTLS)
	if data, cookies := given(t, h, openly, secure.Name+"="+secure.Value+"; a=1"); data != "{}" || cookies != "a=1" {
		t.Errorf("the app got %s and %s", data, cookies)
	}
}

// The client gets a session cookie of neither name from the app, except the shared one with
// pass_through.
func TestHostCookieOfTheApp(t *testing.T) {
	for options, want := range map[string]string{
		"": "a=1", "cookie {\nsecure off\n}": "a=1", "cookie {\npass_through on\n}": "a=1|caddy_session=evil",
	} {
		h := mustProvision(t, inMemory(t, options))
		for _, url := range []string{openly, overTLS} {
			for _, name := range []string{"Set-Cookie", "set-cookie"} {
				w, err := serve(h, httptest.NewRequest(http.MethodGet, url, nil), func(w http.ResponseWriter, _ *http.Request) error {
					w.Header()[name] = []string{"a=1", "caddy_session=evil", "__Host-caddy_session=evil; Secure; Path=/", "=__Host-caddy_session=evil"}
					return nil
				})
				if got := strings.Join(w.Header()[name], "|"); err != nil || got != want {
					t.Errorf("%q, %s: %v, the client got %s", options, url, err, got)
				}
			}
			if _, cookies := given(t, h, url, "__Host-caddy_session=x; a=1"); cookies != "a=1" {
				t.Errorf("%q, %s: the app got %s", options, url, cookies)
			}
		}
	}
}

// A vault for all names keeps neither session cookie, whichever one the request uses.
func TestHostCookieIsNotVaulted(t *testing.T) {
	h := mustProvision(t, inMemory(t, "vault *"))
	for _, url := range []string{openly, overTLS} {
		c := beginAt(t, h, url)
		if data, cookies := given(t, h, url, "x=1; "+c.Name+"="+c.Value); data != `{"n":1}` || cookies != "" {
			t.Errorf("%s: the app got %s and %s", url, data, cookies)
		}
	}
}

// A sub-request of templates has no connection. The name of its cookie shows TLS.
func TestHostCookieInASubRequest(t *testing.T) {
	h := mustProvision(t, inMemory(t, ""))
	for _, url := range []string{openly, overTLS} {
		c := beginAt(t, h, url)
		r, err := http.NewRequest(http.MethodGet, "/inner", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = "example.com"
		r.Header = http.Header{"Cookie": {c.Name + "=" + c.Value}, "Caddy-Templates-Include": {"1"}}
		var data string
		_, err = serve(h, r, func(_ http.ResponseWriter, r *http.Request) error {
			data = r.Header.Get("X-Session-Data")
			return nil
		})
		if err != nil || data != `{"n":1}` {
			t.Errorf("of a page from %s: %v, %s", url, err, data)
		}
	}
}

// One handler has the name that the other one uses over TLS.
func TestHostCookieOfTwoHandlers(t *testing.T) {
	outer := mustProvision(t, inMemory(t, "name shop"))
	for options, refused := range map[string]bool{
		"cookie {\nname __Host-caddy_session_shop\nsecure on\n}": true,
		"cookie {\nname caddy_session_shop\n}":                   true,
		"":                                                       false,
	} {
		inner := mustProvision(t, inMemory(t, options))
		for _, url := range []string{openly, overTLS} {
			_, err := serve(outer, httptest.NewRequest(http.MethodGet, url, nil), func(w http.ResponseWriter, r *http.Request) error {
				return inner.ServeHTTP(w, r, caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return nil }))
			})
			if (err != nil) != refused {
				t.Errorf("%q, %s: %v", options, url, err)
			}
		}
	}
}
