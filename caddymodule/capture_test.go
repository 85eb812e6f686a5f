package caddymodule

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-session/caddy-session/caddymodule/parts"
	"github.com/caddy-session/caddy-session/internal/wire"
	"github.com/caddy-session/caddy-session/sessionstore"
)

func TestProvisionCaptureOfJSON(t *testing.T) {
	h := &Handler{Capture: map[string]parts.Capture{"X-User": {Field: "user", Format: "xml"}}}
	if _, err := parts.NewCapture(h.Capture, wire.Names{}); err == nil || !strings.Contains(err.Error(), `capture X-User: format must be text or json, not "xml"`) {
		t.Errorf("error %v", err)
	}
}

// respond is an app that answers with one header and a status. A status of 0 means that it writes
// none.
func respond(status int, name string, values ...string) caddyhttp.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) error {
		w.Header()[name] = values
		if status != 0 {
			w.WriteHeader(status)
		}
		return nil
	}
}

func TestCaptureByStatus(t *testing.T) {
	const options = `capture X-User user {
	status 2xx 302
}
capture X-Failed failed {
	status 401
	header X-Why *
}`
	for _, test := range []struct {
		name    string
		status  int
		header  string
		why     string
		changes bool
	}{
		{"the class", http.StatusCreated, "X-User", "", true},
		{"no status is 200", 0, "X-User", "", true},
		{"the status", http.StatusFound, "X-User", "", true},
		{"its neighbour", http.StatusSeeOther, "X-User", "", false},
		{"another class", http.StatusUnauthorized, "X-User", "", false},
		{"a switch of protocols", http.StatusSwitchingProtocols, "X-User", "", false},
		{"both conditions", http.StatusUnauthorized, "X-Failed", "wrong", true},
		{"one of two", http.StatusUnauthorized, "X-Failed", "", false},
		{"the other of two", http.StatusOK, "X-Failed", "wrong", false},
		{"another spelling", http.StatusOK, "x-user", "", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := mustProvision(t, inMemory(t, options))
			w, err := serve(h, httptest.NewRequest(http.MethodGet, "/", nil), func(w http.ResponseWriter, r *http.Request) error {
				if test.why != "" {
					w.Header().Set("X-Why", test.why)
				}
				return respond(test.status, test.header, "zoe")(w, r)
			})
			if err != nil {
				t.Fatal(err)
			}
			if got := len(w.Result().Cookies()) == 1; got != test.changes {
				t.Errorf("captured: %t, want %t", got, test.changes)
			}
			for name := range w.Header() {
				if wire.Fold(name) == "x-user" || wire.Fold(name) == "x-failed" {
					t.Errorf("the client gets %s", name)
				}
			}
		})
	}
}

func TestCaptureJSON(t *testing.T) {
	for _, test := range []struct {
		name  string
		lines []string
		want  string // the data, and "" for a 502
	}{
		{"an object", []string{`{"name":"Zoë","id":7,"admin":false}`}, `{"user":{"name":"Zo\u00eb","id":7,"admin":false}}`},
		{"a string", []string{`"zoe"`}, `{"user":"zoe"}`},
		{"a list", []string{` [1, 2.50] `}, `{"user":[1,2.50]}`},
		{"a number", []string{`12345678901234567890`}, `{"user":12345678901234567890}`},
		{"null", []string{`null`}, `{}`},
		{"empty", []string{``}, `{}`},
		{"text", []string{`zoe`}, ""},
		{"half", []string{`{"name":`}, ""},
		{"two values", []string{`{"a":1}, {"b":2}`}, ""},
		{"two lines", []string{`{"a":1}`, `{"b":2}`}, ""},
		{"a key twice", []string{`{"a":1,"a":2}`}, ""},
		{"ISO-8859-1", []string{"\"Zo\xeb\""}, `{"user":"Zo\u00eb"}`},
		{"a lone surrogate", []string{`"\ud800"`}, ""},
		{"a pair of surrogates", []string{`"\ud83d\ude00"`}, `{"user":"\ud83d\ude00"}`},
		{"too deep", []string{strings.Repeat("[", 40) + strings.Repeat("]", 40)}, ""},
		{"too large", []string{`"` + strings.Repeat("x", 5000) + `"`}, ""},
		{"too long", []string{strings.Repeat(" ", sessionstore.MaxRecord) + "1"}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := mustProvision(t, inMemory(t, "capture X-User user json"))
			cookie := create(t, h, `{"user":"before"}`)
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.AddCookie(cookie)
			w, err := serve(h, r, respond(http.StatusOK, "X-User", test.lines...))
			if test.want == "" {
				var refused caddyhttp.HandlerError
				if !errors.As(err, &refused) || refused.StatusCode != http.StatusBadGateway {
					t.Errorf("error %v, want a 502", err)
				} else if text := err.Error(); strings.Contains(text, "zoe") || !strings.Contains(text, "X-User") && !strings.Contains(text, "too large") {
					t.Errorf("error %q", text)
				}
				test.want = `{"user":"before"}`
			} else if err != nil {
				t.Fatal(err)
			}
			r = httptest.NewRequest(http.MethodGet, "/", nil)
			for _, c := range w.Result().Cookies() {
				cookie = c // the changed field gives a new id
			}
			r.AddCookie(cookie)
			if _, err := serve(h, r, func(_ http.ResponseWriter, r *http.Request) error {
				if got := r.Header.Get("X-Session-Data"); got != test.want {
					t.Errorf("data %s, want %s", got, test.want)
				}
				return nil
			}); err != nil {
				t.Error(err)
			}
		})
	}
}

// A header of a response that does not match is no change, counts for no limit and may be invalid.
func TestCaptureLeftOut(t *testing.T) {
	h := mustProvision(t, inMemory(t, "capture X-User user json {\nstatus 200\n}"))
	lines := make([]string, maxLines+1)
	for i := range lines {
		lines[i] = "{"
	}
	w, err := serve(h, httptest.NewRequest(http.MethodGet, "/", nil), respond(http.StatusNotFound, "X-User", lines...))
	if err != nil || len(w.Result().Cookies()) > 0 || w.Header()["X-User"] != nil {
		t.Errorf("error %v, head %v", err, w.Header())
	}
}
