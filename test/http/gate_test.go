package http_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/caddy-session/caddy-session/test/harness/faulty"
)

var (
	gateSite = newSite("gate", `
	session {
		store memory
		secret $SECRET
	}
	session_gate user /login
	reverse_proxy $BACKEND
	handle_errors {
		respond "sorry: {err.status_code}"
	}`)
	innerGate = newSite("innergate", `
	@private not path /static/*
	session_gate /other* user /app/login
	handle_path /app/* {
		rewrite /x /rewritten
		method POST
		session {
			name shop
			store memory
			secret $SECRET
		}
		session_gate @private user.id /app/login?from=gate {
			parameter back
			name shop
		}
		reverse_proxy $BACKEND
	}`)
	matchedGate = newSite("matchedgate", `
	session /app/* {
		store memory
		secret $SECRET
	}
	session_gate user https://login.example.com/in
	reverse_proxy $BACKEND`)
	outageGate = newSite("outagegate", `
	session {
		store faulty $DIR/outagegate
		secret $SECRET
		on_store_error anonymous
	}
	session_gate user /login
	reverse_proxy $BACKEND`)
)

// sentTo fails the test unless the response redirects the browser there.
func (r *reply) sentTo(location string) *reply {
	r.t.Helper()
	r.want(http.StatusFound).keeps()
	if got := r.Header.Get("Location"); got != location {
		r.t.Fatalf("redirected to %q, want %q", got, location)
	}
	if r.Header.Get("Cache-Control") != "no-store" || r.Header.Get("Vary") != "Cookie" {
		r.t.Errorf("the redirect is cacheable: %v", r.Header)
	}
	return r
}

// A visitor logs in, returns to the requested page, and logs out.
func TestGate(t *testing.T) {
	t.Parallel()
	b := gateSite.browser(t)
	var asked atomic.Int32
	watched := b.via(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		echo(w, r)
	})
	r := watched.get("/orders?page=2&q=%C3%BC+x").sentTo("/login?next=%2Forders%3Fpage%3D2%26q%3D%25C3%25BC%2Bx")
	watched.send(watched.request(http.MethodHead, "/", nil)).sentTo("/login?next=%2F")
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions, http.MethodPatch} {
		refused := watched.send(watched.request(method, "/orders", strings.NewReader("body"))).want(http.StatusForbidden).keeps()
		if refused.Header["Location"] != nil || string(refused.body) != "sorry: 403" {
			t.Errorf("%s: %v %s", method, refused.Header, refused.body)
		}
	}
	if asked.Load() != 0 {
		t.Error("the backend was called")
	}
	u, err := url.Parse(r.Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	if got := b.get(u.RequestURI()).want(http.StatusOK).sent(); got.Path != "/login" {
		t.Errorf("the login page is %s", got.Path)
	}
	b.send(b.request(http.MethodPost, ask("/login", "status", "303", "update", `{"user":"zoe"}`, "control", "regenerate"), nil)).want(http.StatusSeeOther).issues()
	if got := b.get(u.Query().Get("next")).want(http.StatusOK).holds(`{"user":"zoe"}`).sent(); got.Path != "/orders" {
		t.Errorf("back at %s", got.Path)
	}
	b.send(b.request(http.MethodPost, "/orders", nil)).want(http.StatusOK)
	b.change("update", `{"user":null,"other":1}`)
	b.get("/orders").sentTo("/login?next=%2Forders")
	b.holding("caddy_session=forged").get("/").sentTo("/login?next=%2F")
	b.with("X-Session-Data", `{"user":"zoe"}`).get("/").sentTo("/login?next=%2F")
}

// rawLocation sends a request with this raw target and returns the Location of the response.
func rawLocation(b *browser, target string) (status, location string) {
	b.t.Helper()
	text := b.raw("GET " + target + " HTTP/1.1\r\nHost: " + strings.TrimPrefix(b.base, "http://") + "\r\nConnection: close\r\n\r\n")
	_, status, _ = strings.Cut(text[:min(len(text), len("HTTP/1.1 302"))], " ")
	head, _, _ := strings.Cut(text, "\r\n\r\n")
	for line := range strings.SplitSeq(head, "\r\n") {
		if name, value, _ := strings.Cut(line, ": "); strings.EqualFold(name, "Location") {
			if location != "" {
				b.t.Errorf("%q: two locations in %q", target, text)
			}
			location = value
		}
	}
	return status, location
}

// No request target makes the gate redirect to another host, nor gives the login page a URL on one.
func TestAttackOpenRedirect(t *testing.T) {
	t.Parallel()
	b := gateSite.browser(t)
	for target, want := range map[string]string{
		"/":                             "/login?next=%2F",
		"/a%20b?c=%0d%0a":               "/login?next=%2Fa%2520b%3Fc%3D%250d%250a",
		"/?next=//evil.example":         "/login?next=%2F%3Fnext%3D%2F%2Fevil.example",
		"http://gate.test/x":            "/login?next=%2Fx",
		"http://gate.test//evil":        "/login",
		"http://gate.test":              "/login",
		"//evil.example":                "/login",
		"//evil.example/login":          "/login",
		"///evil.example":               "/login",
		"/\\evil.example":               "/login",
		"\\\\evil.example":              "",
		"/%5Cevil.example":              "/login",
		"/%2Fevil.example":              "/login",
		"/%2f%2fevil.example":           "/login",
		"/%252Fevil.example":            "/login",
		"/%09//evil.example":            "/login",
		"/%0D%0ALocation:%20//evil":     "/login",
		"/x%0D%0ASet-Cookie:%20a=b":     "/login",
		"/..//evil.example":             "/login",
		"/a/..//evil.example":           "/login",
		"/%2e%2e//evil.example":         "/login",
		"/.%2e/%2fevil.example":         "/login",
		"/login/..//evil.example":       "/login",
		"/%6Cogin":                      "/login",
		"/login%00":                     "/login",
		"/login%3Fx":                    "/login?next=%2Flogin%253Fx",
		"/login;x":                      "/login?next=%2Flogin%3Bx",
		"/" + strings.Repeat("x", 3000): "/login",
	} {
		status, location := rawLocation(b, target)
		if want == "" {
			if location != "" || status != "400" {
				t.Errorf("%q: status %s, %q", target, status, location)
			}
			continue
		}
		if status != "302" || location != want {
			t.Errorf("%q: status %s, %q, want %q", target, status, location, want)
		}
	}
	// Nor do headers.
	for _, name := range []string{"X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Prefix", "X-Original-Url", "X-Rewrite-Url", "Forwarded", "Referer"} {
		b.with(name, "//evil.example").get("/x").sentTo("/login?next=%2Fx")
	}
}

// The way back is what the browser requested, whatever handlers have rewritten.
func TestGateWithinARoute(t *testing.T) {
	t.Parallel()
	b := innerGate.browser(t)
	location := func(path, want string) {
		t.Helper()
		r := b.get(path).want(http.StatusFound)
		if got := r.Header.Get("Location"); got != want {
			t.Errorf("%s: redirected to %q, want %q", path, got, want)
		}
	}
	location("/app/a?b", "/app/login?from=gate&back=%2Fapp%2Fa%3Fb")
	location("/app/x", "/app/login?from=gate&back=%2Fapp%2Fx")
	location("/app/static/../a", "/app/login?from=gate")
	location("/app/login", "/app/login?from=gate&back=%2Fapp%2Flogin")
	for path, want := range map[string]string{"/app/static/logo": "/static/logo", "/app/login?from=gate": "/login", "/app/login?from=gate&back=%2F": "/login"} {
		if got := b.get(path).want(http.StatusOK).sent(); got.Path != want {
			t.Errorf("%s: the backend got %s", path, got.Path)
		}
	}
	// Before the session's handler has run, the gate cannot decide.
	b.get("/other").want(http.StatusInternalServerError)
	b.get(ask("/app/static/in", "X-Session-Shop-Update", `{"user":{"id":0}}`)).want(http.StatusOK)
	if got := b.get("/app/x").want(http.StatusOK).sent(); got.Path != "/rewritten" || got.Method != http.MethodPost {
		t.Errorf("the backend got %s %s", got.Method, got.Path)
	}
}

func TestGateToAnotherSite(t *testing.T) {
	t.Parallel()
	b := matchedGate.browser(t)
	b.get("/app/a?b").sentTo("https://login.example.com/in?next=%2Fapp%2Fa%3Fb")
	b.get("/app//evil.example").sentTo("https://login.example.com/in?next=%2Fapp%2F%2Fevil.example")
	b.get("/in").want(http.StatusInternalServerError) // outside of the session's matcher
}

// During an outage of the store, nobody is asked to log in and nobody passes.
func TestGateDuringAnOutage(t *testing.T) {
	t.Parallel()
	control, b := outageGate.control(t), outageGate.browser(t)
	b.get(ask("/login", "update", `{"user":"zoe"}`)).want(http.StatusOK).issues()
	b.look().holds(`{"user":"zoe"}`)
	tell(t, control, faulty.Get, faulty.Fail)
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		r := b.send(b.request(method, "/", nil)).want(http.StatusServiceUnavailable).keeps()
		if r.Header.Get("Retry-After") == "" || r.Header["Location"] != nil {
			t.Errorf("%s: %v", method, r.Header)
		}
	}
	b.get("/login").want(http.StatusOK)
	b.bare().get("/").sentTo("/login?next=%2F")
	tell(t, control, faulty.Get, "")
	b.look().holds(`{"user":"zoe"}`)
}
