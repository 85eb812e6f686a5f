package caddymodule

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
)

// An app behind requests that the matcher leaves out gets no session cookie and can set none,
// however its response begins.
func TestAttackOurHeadersBesideTheMatcher(t *testing.T) {
	h := mustProvision(t, inMemory(t, "capture X-Login user"))
	for name, respond := range map[string]func(http.ResponseWriter) error{
		"WriteHeader": func(w http.ResponseWriter) error { w.WriteHeader(http.StatusTeapot); return nil },
		"Write":       func(w http.ResponseWriter) error { _, err := io.WriteString(w, "body"); return err },
		"ReadFrom": func(w http.ResponseWriter) error {
			_, err := w.(io.ReaderFrom).ReadFrom(strings.NewReader("body"))
			return err
		},
		"Flush":    func(w http.ResponseWriter) error { return http.NewResponseController(w).Flush() },
		"1xx":      func(w http.ResponseWriter) error { w.WriteHeader(http.StatusEarlyHints); return nil },
		"Hijack":   func(w http.ResponseWriter) error { _, _, _ = http.NewResponseController(w).Hijack(); return nil },
		"nothing":  func(http.ResponseWriter) error { return nil },
		"an error": func(http.ResponseWriter) error { return errors.New("no app") },
	} {
		c := h.clean()
		if err := c.Provision(caddy.Context{Context: t.Context()}); err != nil {
			t.Fatal(err)
		}
		c.logger = zap.NewNop()
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Cookie", "a=1; caddy_session=x.y; b=2; __Host-caddy_session=z")
		_ = c.ServeHTTP(w, prepare(w, r), caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
			if got := r.Header.Get("Cookie"); got != "a=1; b=2" {
				t.Errorf("%s: the app gets the cookies %q", name, got)
			}
			for _, name := range []string{"X-Session-Update", "x_session_flash", "X-Session-Control", "X-Login"} {
				w.Header()[name] = []string{"{}"}
			}
			w.Header()["Trailer"] = []string{"X-Session-Update, X-Ok", "Set-Cookie"}
			w.Header()["Set-Cookie"] = []string{"caddy_session=evil", "other=1", "__Host-caddy_session=evil; Secure"}
			err := respond(w)
			w.Header()[http.TrailerPrefix+"X-Session-Update"] = []string{"{}"}
			w.Header()[http.TrailerPrefix+"Set-Cookie"] = []string{"caddy_session=evil"}
			w.Header()["X-Session-Control"] = []string{"destroy"}
			return err
		}))
		delete(w.Header(), "Content-Type")
		if got := w.Header(); len(got) != 2 || got.Get("Trailer") != "X-Ok" || len(got["Set-Cookie"]) != 1 || got.Get("Set-Cookie") != "other=1" {
			t.Errorf("%s: the client gets %v", name, got)
		}
	}
}

// A session handler gets the cookie that session_clean before it has removed.
func TestCookieIsSetAside(t *testing.T) {
	h := mustProvision(t, inMemory(t, ""))
	cookie := create(t, h, `{"user":"zoe"}`)
	clean := func() *Clean {
		c := h.clean()
		if err := c.Provision(caddy.Context{Context: t.Context()}); err != nil {
			t.Fatal(err)
		}
		return c
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.AddCookie(cookie)
	w, _, err := on(new(caddyhttp.Server), chain{clean(), chain{clean(), h}}, r, func(w http.ResponseWriter, r *http.Request) error {
		if got := r.Header.Get("X-Session-Data"); got != `{"user":"zoe"}` || r.Header["Cookie"] != nil {
			t.Errorf("the app gets %v", r.Header)
		}
		w.Header().Set("X-Session-Control", "regenerate")
		return nil
	})
	if err != nil || len(w.Result().Cookies()) != 1 || w.Result().Cookies()[0].Value == "" {
		t.Errorf("%v, %v", err, w.Header())
	}
}

// Two session directives with one cookie and matchers that never match together: what one gives the
// app of its cookie is no client's to the session_clean of the other. A cache that does not see the
// mark would keep a page of one visitor for all.
func TestCookieOfAnotherMatcherStays(t *testing.T) {
	for mode, want := range map[string]string{"mark": "caddy_session=1; a=1", "on": "a=1; caddy_session="} {
		h := mustProvision(t, inMemory(t, "cookie {\npass_through "+mode+"\n}"))
		cookie := create(t, h, `{"user":"zoe"}`)
		c := mustProvision(t, inMemory(t, "")).clean()
		if err := c.Provision(caddy.Context{Context: t.Context()}); err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Cookie", "a=1; "+cookie.Name+"="+cookie.Value)
		_, _, err := on(new(caddyhttp.Server), chain{h, c}, r, func(_ http.ResponseWriter, r *http.Request) error {
			if got := r.Header.Get("Cookie"); !strings.HasPrefix(got, want) {
				t.Errorf("%s: the app gets the cookies %q", mode, got)
			}
			return nil
		})
		if err != nil {
			t.Errorf("%s: %v", mode, err)
		}
	}
}
