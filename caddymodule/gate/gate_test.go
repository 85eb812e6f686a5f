package gate_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"github.com/caddy-session/caddy-session/caddymodule"
	"github.com/caddy-session/caddy-session/caddymodule/gate"
)

func newGate(text string) (*gate.Gate, error) {
	g := new(gate.Gate)
	if err := g.UnmarshalCaddyfile(caddyfile.NewTestDispenser(text)); err != nil {
		return nil, err
	}
	return g, g.Provision(caddy.Context{})
}

// prepare makes a request as a Caddy server hands it to its handlers.
func prepare(w http.ResponseWriter, r *http.Request) *http.Request {
	return caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, new(caddyhttp.Server))
}

func TestGateErrors(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"nothing", "session_gate", "value"},
		{"no login", "session_gate user", "value"},
		{"too many values", "session_gate user /login /again", "value"},
		{"unknown option", "session_gate user /login {\nstatus 303\n}", "unrecognized option of session_gate: status"},
		{"option given twice", "session_gate user /login {\nname a\nname b\n}", "name is given twice"},
		{"option without a value", "session_gate user /login {\nparameter\n}", "value"},
		{"invalid preflight", "session_gate user /login {\npreflight allow\n}", "preflight must be gate or pass, not"},
		{"invalid field", "session_gate a..b /login", "session_gate: field:"},
		{"login of another host by two slashes", "session_gate user //evil.example", "session_gate: login:"},
		{"login with a backslash", `session_gate user /\evil.example`, "session_gate: login:"},
		{"login that is relative", "session_gate user login", "session_gate: login:"},
		{"login of a script", "session_gate user javascript:alert(1)", "session_gate: login:"},
		{"login without a host", "session_gate user https:///login", "session_gate: login:"},
		{"login with a placeholder", "session_gate user https://{http.request.host}/login", "session_gate: login:"},
		{"login with a blank", `session_gate user "/log in"`, "session_gate: login:"},
		{"login over two lines", "session_gate user \"/login\nX-Evil: 1\"", "session_gate: login:"},
		{"the way back twice", "session_gate user /login?next=/", "the parameter next"},
		{"another way back twice", "session_gate user /login?a&back=/ {\nparameter back\n}", "the parameter back"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := newGate(test.text); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}

// gated sends a request through a gate behind a session with these data. It reports whether the
// gate let it through.
func gated(t *testing.T, options, directive, data string, r *http.Request) (*httptest.ResponseRecorder, bool, error) {
	t.Helper()
	h := new(caddymodule.Handler)
	text := fmt.Sprintf("session {\nsecret %s\nstore memory %q\n%s\n}", strings.Repeat("k", 32), t.Name(), options)
	if err := h.UnmarshalCaddyfile(caddyfile.NewTestDispenser(text)); err != nil {
		t.Fatal(err)
	}
	ctx, err := caddy.ProvisionContext(new(caddy.Config))
	if err == nil {
		err = h.Provision(ctx)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = h.Cleanup() }()
	g, err := newGate(directive)
	if err != nil {
		t.Fatal(err)
	}
	through := false
	serve := func(r *http.Request, next caddyhttp.HandlerFunc) (*httptest.ResponseRecorder, error) {
		w := httptest.NewRecorder()
		return w, h.ServeHTTP(w, prepare(w, r), next)
	}
	if data != "" {
		w, err := serve(httptest.NewRequest(http.MethodGet, "/", nil), func(w http.ResponseWriter, _ *http.Request) error {
			w.Header().Set("X-Session-Update", data)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		r.AddCookie(w.Result().Cookies()[0])
	}
	w, err := serve(r, func(w http.ResponseWriter, r *http.Request) error {
		return g.ServeHTTP(w, r, caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error {
			through = true
			return nil
		}))
	})
	return w, through, err
}

func TestGateFields(t *testing.T) {
	for data, want := range map[string]bool{
		"":                               false,
		`{"other":1}`:                    false,
		`{"user":{"other":1}}`:           false,
		`{"user":{"id":""}}`:             false,
		`{"user":{"id":false}}`:          false,
		`{"user":{"id":"zoe"}}`:          true,
		`{"user":{"id":"false"}}`:        true,
		`{"user":{"id":0}}`:              true,
		`{"user":{"id":true}}`:           true,
		`{"user":{"id":{}}}`:             true,
		`{"user":{"id":[]}}`:             true,
		`{"user.id":"zoe"}`:              false,
		`{"a":1,"user":"{\"id\":true}"}`: false,
	} {
		w, through, err := gated(t, "", "session_gate user.id /login", data, httptest.NewRequest(http.MethodGet, "/a?b=c", nil))
		if err != nil || through != want {
			t.Errorf("%s: let through: %t, %v; want %t", data, through, err, want)
			continue
		}
		if !through && (w.Code != http.StatusFound || w.Header().Get("Location") != "/login?next=%2Fa%3Fb%3Dc" || w.Header().Get("Cache-Control") != "no-store") {
			t.Errorf("%s: status %d, %v", data, w.Code, w.Header())
		}
	}
	// Only a JSON Patch can set a field to null.
	w, through, err := gated(t, "", "session_gate user.id /login", `[{"op":"add","path":"/user","value":{"id":null}}]`, httptest.NewRequest(http.MethodGet, "/", nil))
	if err != nil || through || w.Code != http.StatusFound {
		t.Errorf("null: let through: %t, status %d, %v", through, w.Code, err)
	}
}

func TestGateMethods(t *testing.T) {
	for _, test := range []struct {
		method, target string
		status         int // 0: the gate lets it through
	}{
		{http.MethodGet, "/a", http.StatusFound},
		{http.MethodHead, "/a", http.StatusFound},
		{http.MethodPost, "/a", http.StatusForbidden},
		{http.MethodDelete, "/a", http.StatusForbidden},
		{http.MethodOptions, "/a", http.StatusForbidden},
		{http.MethodGet, "/login", 0},
		{http.MethodPost, "/login?next=%2Fa", 0},
		{http.MethodPost, "/login?page=admin", 0},
		{http.MethodPost, "/login/", http.StatusForbidden},
		{http.MethodPost, "/%6Cogin", http.StatusForbidden},
		{http.MethodPost, "/login/../a", http.StatusForbidden},
		{http.MethodPost, "/LOGIN", http.StatusForbidden},
		{http.MethodPost, "//login", http.StatusForbidden},
		{http.MethodPost, "/a?/login", http.StatusForbidden},
	} {
		w, through, err := gated(t, "", "session_gate user /login", "", httptest.NewRequest(test.method, test.target, nil))
		if test.status == http.StatusForbidden {
			var refused caddyhttp.HandlerError
			if !errors.As(err, &refused) || refused.StatusCode != test.status || through || w.Header()["Location"] != nil {
				t.Errorf("%s %s: error %v, let through: %t, %v", test.method, test.target, err, through, w.Header())
			}
			continue
		}
		if err != nil || through != (test.status == 0) || !through && w.Code != test.status {
			t.Errorf("%s %s: status %d, let through: %t, %v", test.method, test.target, w.Code, through, err)
		}
	}
}

// If the query of the login URL selects the login page, no other page gets through.
func TestAttackLoginQuery(t *testing.T) {
	for target, want := range map[string]bool{
		"/index.php?page=login":                           true,
		"/index.php?page=login&next=%2Forders%3Fpage%3D2": true,
		"/index.php?page=login&next=":                     true,
		"/index.php?page=admin":                           false,
		"/index.php":                                      false,
		"/index.php?":                                     false,
		"/index.php?page=login&page=admin":                false,
		"/index.php?page=login;page=admin":                false,
		"/index.php?page=login%26page=admin":              false,
		"/index.php?page=login&":                          false,
		"/index.php?page=login&next":                      false,
		"/index.php?page=login&Next=%2F":                  false,
		"/index.php?page=login&nex%74=%2F":                false,
		"/index.php?page=login&next=%2F&page=admin":       false,
		"/index.php?page=login&next=%2F;page=admin":       false,
		"/index.php?page=login&next=%2F&next=%2F":         false,
		"/index.php?next=%2F&page=login":                  false,
		"/index.php?page=admin&page=login":                false,
		"/index.php?page=%6cogin":                         false,
		"/index.php?PAGE=login":                           false,
		"/index.php?page=login#x":                         false, // no browser sends that
		"/index.php/?page=login":                          false,
		"/index.php/admin?page=login":                     false,
		"/admin.php?page=login":                           false,
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			r := httptest.NewRequest(method, "/", nil)
			path, query, _ := strings.Cut(target, "?")
			r.URL.Path, r.URL.RawQuery = path, query
			_, through, err := gated(t, "", "session_gate user /index.php?page=login", "", r)
			if through != want || through && err != nil {
				t.Errorf("%s %s: let through: %t, %v", method, target, through, err)
			}
		}
	}
}

// Navigations are sent to the login page, other requests get a status. Preflights depend on the
// option.
func TestGateNavigations(t *testing.T) {
	const found, unauthorized, forbidden = http.StatusFound, http.StatusUnauthorized, http.StatusForbidden
	const chrome = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
	for _, test := range []struct {
		name, method string
		header       []string
		status       int
	}{
		{"navigation", "GET", []string{"Sec-Fetch-Mode", "navigate", "Accept", chrome}, found},
		{"navigation by HEAD", "HEAD", []string{"Sec-Fetch-Mode", "navigate"}, found},
		{"form", "POST", []string{"Sec-Fetch-Mode", "navigate", "Accept", chrome}, forbidden},
		{"navigation of an old browser", "GET", []string{"Accept", chrome}, found},
		{"form of an old browser", "POST", []string{"Accept", "text/html"}, forbidden},
		{"XHTML, with blanks", "GET", []string{"Accept", "image/png , Application/XHTML+xml ; q=0.9"}, found},
		{"no sign at all", "GET", nil, found},
		{"no sign at all, POST", "POST", nil, forbidden},
		{"fetch", "GET", []string{"Sec-Fetch-Mode", "cors", "Accept", chrome}, unauthorized},
		{"fetch of the same origin", "POST", []string{"Sec-Fetch-Mode", "same-origin"}, unauthorized},
		{"image", "GET", []string{"Sec-Fetch-Mode", "no-cors"}, unauthorized},
		{"fetch of an old browser", "GET", []string{"Accept", "*/*"}, unauthorized},
		{"JSON", "GET", []string{"Accept", "application/json, text/plain"}, unauthorized},
		{"nothing accepted", "GET", []string{"Accept", ""}, unauthorized},
		{"what only looks like HTML", "GET", []string{"Accept", "text/html-sandboxed"}, unauthorized},
		{"XMLHttpRequest", "GET", []string{"X-Requested-With", "XMLHttpRequest", "Accept", chrome}, unauthorized},
		{"Sec-Fetch-Mode outweighs X-Requested-With", "GET", []string{"Sec-Fetch-Mode", "navigate", "X-Requested-With", "XMLHttpRequest"}, found},
		{"WebSocket", "GET", []string{"Sec-Fetch-Mode", "websocket", "Upgrade", "websocket"}, unauthorized},
		{"WebSocket of an old browser", "GET", []string{"Connection", "Upgrade", "Upgrade", "WebSocket"}, unauthorized},
		{"WebSocket over HTTP/2", "CONNECT", []string{":protocol", "websocket"}, unauthorized},
		{"preflight", "OPTIONS", []string{"Sec-Fetch-Mode", "cors", "Origin", "https://a.example", "Access-Control-Request-Method", "PUT", "Accept", "*/*"}, unauthorized},
		{"OPTIONS without a sign", "OPTIONS", []string{"Origin", "https://a.example"}, forbidden},
	} {
		for _, directive := range []string{"session_gate user /login", "session_gate user /login {\npreflight gate\n}", "session_gate user /login {\npreflight pass\n}"} {
			r := httptest.NewRequest(test.method, "/", nil)
			for i := 0; i < len(test.header); i += 2 {
				r.Header[test.header[i]] = []string{test.header[i+1]}
			}
			w, through, err := gated(t, "", directive, "", r)
			if passes := test.name == "preflight" && strings.Contains(directive, "pass"); passes || through {
				if through != passes {
					t.Errorf("%s, %s: let through: %t, %v", directive, test.name, through, err)
				}
				continue
			}
			status := w.Code
			if refused, ok := errors.AsType[caddyhttp.HandlerError](err); ok {
				status = refused.StatusCode
			}
			challenge := w.Header().Get("WWW-Authenticate")
			if status != test.status || (challenge == "Session") != (status == unauthorized) || (w.Header()["Location"] != nil) != (status == found) {
				t.Errorf("%s: status %d, want %d; %v", test.name, status, test.status, w.Header())
			}
		}
	}
}

// The path of a login page on another site is not let through on this one.
func TestGateOfAnotherSite(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "http://login.example.com/login", nil)
	if w, through, err := gated(t, "", "session_gate user https://login.example.com/login", "", r); err != nil || through || w.Code != http.StatusFound {
		t.Errorf("status %d, let through: %t, %v", w.Code, through, err)
	}
}

// Without a session handler, the gate lets no request through.
func TestGateWithoutItsSession(t *testing.T) {
	g, err := newGate("session_gate user /login")
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	err = g.ServeHTTP(w, prepare(w, httptest.NewRequest(http.MethodGet, "/login", nil)), caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error {
		t.Error("let through")
		return nil
	}))
	var refused caddyhttp.HandlerError
	if !errors.As(err, &refused) || refused.StatusCode != http.StatusInternalServerError {
		t.Errorf("without a handler: %v", err)
	}
	for _, names := range [][2]string{{"name shop", "session_gate user /login"}, {"", "session_gate user /login {\nname shop\n}"}} {
		_, through, err := gated(t, names[0], names[1], "", httptest.NewRequest(http.MethodGet, "/", nil))
		if !errors.As(err, &refused) || refused.StatusCode != http.StatusInternalServerError || through {
			t.Errorf("%q behind %q: %v", names[1], names[0], err)
		}
	}
}

// The gate comes after session and before the app, wherever the directives are written.
func TestAdaptGate(t *testing.T) {
	const config = `:80 {
	reverse_proxy localhost:9000
	redir /old /new
	session_gate /app/* user.id /login {
		parameter back
		name shop
	}
	session {
		name shop
		store memory
	}
}`
	out, warnings, err := caddyfile.Adapter{ServerType: httpcaddyfile.ServerType{}}.Adapt([]byte(config), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range warnings {
		if !strings.Contains(w.Message, "not formatted") {
			t.Errorf("warning: %v", w)
		}
	}
	const want = `{"handle":[{"handler":"session","name":"shop","store":{"backend":"memory"}}]},` +
		`{"match":[{"path":["/app/*"]}],"handle":[{"field":"user.id","handler":"session_gate","login":"/login","name":"shop","parameter":"back"}]},` +
		`{"handle":[{"handler":"reverse_proxy"`
	if !strings.Contains(string(out), want) {
		t.Errorf("the routes are not\n%s\nin\n%s", want, out)
	}
}
