package caddymodule

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// exchangeCookies sends a request with cookies to an app that sets others. It returns the Cookie
// header that the app got, and the cookies that the client got, by name.
func exchangeCookies(t *testing.T, h *Handler, cookies string, sets ...string) (app string, client map[string]*http.Cookie) {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "https://example.com/", nil)
	if cookies != "" {
		r.Header.Set("Cookie", cookies)
	}
	w, err := serve(h, r, func(w http.ResponseWriter, r *http.Request) error {
		app = strings.Join(r.Header.Values("Cookie"), "|")
		w.Header()["Set-Cookie"] = sets
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	client = make(map[string]*http.Cookie)
	for _, c := range w.Result().Cookies() {
		client[c.Name] = c
	}
	return app, client
}

func TestTheSecondCookieOfALastingVault(t *testing.T) {
	const first, second = "__Host-caddy_session", "__Host-caddy_session_browser"
	h := mustProvision(t, inMemory(t, "vault *"))
	if _, client := exchangeCookies(t, h, "", "sid=1"); len(client) != 1 || client[first].MaxAge != 0 {
		t.Errorf("without a lasting cookie, the client gets %v", client)
	}
	_, client := exchangeCookies(t, h, "", "sid=1; Path=/", "remember=2; Path=/; Max-Age=1209600")
	if len(client) != 2 || client[first].MaxAge < 744*3600-60 {
		t.Fatalf("with a lasting cookie, the client gets %v", client)
	}
	if c := client[second]; c.MaxAge != 0 || !c.Expires.IsZero() || !c.HttpOnly || !c.Secure || c.Path != "/" || c.SameSite != http.SameSiteLaxMode || len(c.Value) < 40 {
		t.Errorf("the second cookie: %s", c)
	}
	main, token := first+"="+client[first].Value, second+"="+client[second].Value

	// The second cookie is lost. It is sent again until it comes back.
	app, client := exchangeCookies(t, h, main)
	if app != "sid=1; remember=2" || len(client) != 2 || client[second].Value != strings.TrimPrefix(token, second+"=") {
		t.Errorf("without the second cookie, the app gets %q, the client %v", app, client)
	}
	// After it came back, a change is saved as usual.
	if app, client = exchangeCookies(t, h, main+"; "+token+"; a=b", "lang=en; Path=/"); app != "sid=1; remember=2; a=b" && app != "sid=1; remember=2" || len(client) != 0 {
		t.Errorf("with both, the app gets %q, the client %v", app, client)
	}
	// The browser was closed.
	app, client = exchangeCookies(t, h, main)
	if app != "remember=2" || len(client) != 2 || client[second].Value == strings.TrimPrefix(token, second+"=") {
		t.Errorf("when the browser was closed, the app gets %q, the client %v", app, client)
	}
	token = second + "=" + client[second].Value
	// Without a lasting cookie in the vault, the session cookie does not last either.
	if _, client = exchangeCookies(t, h, main+"; "+token, "sid=3; Path=/", "remember=; Max-Age=0; Path=/"); client[first] == nil || client[first].MaxAge != 0 {
		t.Errorf("without a lasting cookie again, the client gets %v", client)
	}
	main = first + "=" + client[first].Value
	_, client = exchangeCookies(t, h, main+"; "+token, "sid=; Max-Age=0; Path=/")
	for _, name := range []string{first, second} {
		if client[name] == nil || client[name].MaxAge >= 0 {
			t.Errorf("when the session has ended, the client gets %v", client)
		}
	}
}

// The explanation is of what is left when the browser was closed, and changes nothing.
func TestExplainAClosedBrowser(t *testing.T) {
	const first, second = "__Host-caddy_session", "__Host-caddy_session_browser"
	h := mustProvision(t, inMemory(t, "vault *\nuser user"))
	r := httptest.NewRequest(http.MethodGet, "https://example.com/", nil)
	w, err := serve(h, r, answering("Set-Cookie", "remember=2; Path=/; Max-Age=1209600", "X-Session-Update", `{"user":"zoe"}`))
	if err != nil {
		t.Fatal(err)
	}
	var main, token, bare string
	for _, c := range w.Result().Cookies() {
		switch c.Name {
		case first:
			main, bare = first+"="+c.Value, c.Value
		case second:
			token = second + "=" + c.Value
		}
	}
	record := func(cookies, bare string) string {
		r := httptest.NewRequest(http.MethodGet, "https://example.com/", nil)
		if cookies != "" {
			r.Header.Set("Cookie", cookies)
		}
		for _, s := range h.ExplainRequest(prepare(httptest.NewRecorder(), r), bare).Steps {
			if s.What == "record" {
				return s.Says
			}
		}
		return ""
	}
	whole, rest := `user "zoe"`, second+" did not come, as when the browser was closed, so the data and the user are gone"
	if says := record(main, ""); !strings.Contains(says, whole) {
		t.Errorf("before the second cookie came: %s", says)
	}
	exchangeCookies(t, h, main+"; "+token, "lang=en; Path=/") // it is saved that it came
	for range 2 {
		for _, test := range []struct{ cookies, bare, want string }{{main, "", rest}, {main + "; " + token, "", whole}, {"", bare, whole}} {
			if says := record(test.cookies, test.bare); !strings.Contains(says, test.want) {
				t.Errorf("%s: %s", test.cookies, says)
			}
		}
	}
}

// The second cookie's name is reserved too: the app never gets a client's, and neither the client
// nor the vault gets the app's.
func TestAttackTheSecondCookiesName(t *testing.T) {
	for _, options := range []string{"vault *", "vault sid", "", "cookie {\npass_through on\n}"} {
		h := mustProvision(t, inMemory(t, options))
		for _, name := range []string{"caddy_session_browser", "__Host-caddy_session_browser"} {
			app, client := exchangeCookies(t, h, name+"=forged; a=b", name+"=app; Path=/; Secure")
			if strings.Contains(app, "forged") || len(client) != 0 {
				t.Errorf("%s: of %s, the app gets %q, the client %v", options, name, app, client)
			}
		}
	}
	if _, err := provision(t, inMemory(t, "vault caddy_session_browser")); err == nil || !strings.Contains(err.Error(), "the session cookie") {
		t.Errorf("in the vault: %v", err)
	}
	if !mustProvision(t, inMemory(t, "")).cookie.Names.Meet(mustProvision(t, inMemory(t, "name browser\n")).cookie.Names) {
		t.Error("a handler whose cookie has the same name is not noticed")
	}
}

// An error route and a sub-request of templates have the second cookie of the page. Otherwise they
// would take the browser for closed, and end what does not last.
func TestTheSecondCookieBehindThePage(t *testing.T) {
	for _, options := range []string{"", "cookie {\npass_through on\n}", "cookie {\npass_through mark\n}"} {
		for name, behind := range map[string]func(*Handler, http.ResponseWriter, *http.Request, caddyhttp.Handler) error{
			"an error route": func(h *Handler, w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
				err := h.ServeHTTP(w, r, handlerFunc(func(http.ResponseWriter, *http.Request) error { return http.ErrHandlerTimeout }))
				if err == nil {
					t.Error("the page has not failed")
				}
				return h.ServeHTTP(w, r, next)
			},
			"a sub-request": func(h *Handler, w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
				return h.ServeHTTP(w, r, handlerFunc(func(w http.ResponseWriter, r *http.Request) error {
					include, _ := http.NewRequest(http.MethodGet, "/part", nil)
					include.Host, include.Header = r.Host, r.Header.Clone()
					include.Header.Set("Caddy-Templates-Include", "1")
					_, err := serve(h, include, next.ServeHTTP)
					return err
				}))
			},
			"an error route of a sub-request": func(h *Handler, w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
				return h.ServeHTTP(w, r, handlerFunc(func(_ http.ResponseWriter, r *http.Request) error {
					include, _ := http.NewRequest(http.MethodGet, "/part", nil)
					include.Host, include.Header = r.Host, r.Header.Clone()
					include.Header.Set("Caddy-Templates-Include", "1")
					part := httptest.NewRecorder()
					include = prepare(part, include)
					err := h.ServeHTTP(part, include, handlerFunc(func(http.ResponseWriter, *http.Request) error { return http.ErrHandlerTimeout }))
					if err == nil {
						t.Error("the part has not failed")
					}
					return h.ServeHTTP(part, include, next)
				}))
			},
		} {
			h := mustProvision(t, inMemory(t, "vault app_*\n"+options))
			_, client := exchangeCookies(t, h, "", "app_lang=1; Path=/", "app_remember=2; Path=/; Max-Age=1209600")
			var cookies []string
			for _, c := range client {
				cookies = append(cookies, c.Name+"="+c.Value)
			}
			if len(cookies) != 2 {
				t.Fatalf("%v", client)
			}
			all := strings.Join(cookies, "; ")
			exchangeCookies(t, h, all, "app_lang=3; Path=/") // the second cookie has come back
			w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, overTLS, nil)
			r.Header.Set("Cookie", all)
			app := ""
			err := behind(h, w, prepare(w, r), handlerFunc(func(_ http.ResponseWriter, r *http.Request) error {
				app = r.Header.Get("Cookie")
				return nil
			}))
			if err != nil || !strings.Contains(app, "app_lang=3; app_remember=2") {
				t.Errorf("%s, %s: the app gets %q, %v", options, name, app, err)
			}
			if app, _ := exchangeCookies(t, h, all); !strings.Contains(app, "app_lang=3; app_remember=2") {
				t.Errorf("%s, after %s: the app gets %q", options, name, app)
			}
		}
	}
}
