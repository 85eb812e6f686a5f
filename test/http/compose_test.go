package http_test

import (
	"net/http"
	"strings"
	"testing"
)

var twoNames = newSite("twonames", `
	session {
		store memory
		secret $SECRET
	}
	session {
		name shop
		store memory
		secret $SECRET
	}
	respond /page "{http.session.data.a} {http.session.exists} {http.session.shop.data.a} {http.session.shop.exists}"
	reverse_proxy $BACKEND`)

func TestTwoNames(t *testing.T) {
	t.Parallel()
	b := twoNames.browser(t)
	r := b.look()
	for _, name := range []string{"X-Session-Data", "X-Session-Shop-Data"} {
		if r.given(name) != "{}" {
			t.Errorf("%s: %q", name, r.given(name))
		}
	}
	r = b.change("update", `{"a":1}`, "X-Session-Shop-Update", `{"a":2}`, "X-Session-Shop-Flash", `"x"`).hides()
	main, shop := r.issues(), r.cookieNamed("caddy_session_shop")
	if shop == nil || shop.Value == main.Value {
		t.Fatal("want two cookies")
	}
	r = b.look().holds(`{"a":1}`)
	if r.given("X-Session-Shop-Data") != `{"a":2}` || r.given("X-Session-Shop-Flash") != `[["message","x"]]` || r.given("Cookie") != "" {
		t.Errorf("the backend got %v", r.sent().Header)
	}
	if got := string(b.get("/page").body); got != "1 true 2 true" {
		t.Errorf("placeholders: %s", got)
	}
	// One handler's cookie is not valid for the other.
	r = b.holding("caddy_session=" + shop.Value + "; caddy_session_shop=" + main.Value).look()
	if r.given("X-Session-Data") != "{}" || r.given("X-Session-Shop-Data") != "{}" {
		t.Error("the cookies can be swapped")
	}
	// If one change is refused, nothing of the response is forwarded, whichever it is.
	for _, pairs := range [][]string{{"update", "{"}, {"X-Session-Shop-Update", "{"}} {
		b.ask(append(pairs, "Etag", `"x"`)...).want(http.StatusBadGateway).hides().keeps()
		if c := b.ask(pairs...).cookieNamed("caddy_session_shop"); c != nil {
			t.Errorf("a cookie: %s", c)
		}
	}
	r = b.change("X-Session-Shop-Control", "destroy").keeps()
	if c := r.cookieNamed("caddy_session_shop"); c == nil || c.MaxAge >= 0 {
		t.Error("the shop's cookie is not deleted")
	}
	if r := b.look().holds(`{"a":1}`); r.given("X-Session-Shop-Data") != "{}" {
		t.Error("the shop's session still exists")
	}
}

const meeting = `
	session {
		store memory
		secret $SECRET
		$1
	}
	session /* {
		store memory
		secret $SECRET
		$2
	}
	reverse_proxy $BACKEND`

func meet(name, one, two string) *site {
	return newSite(name, strings.NewReplacer("$1", one, "$2", two).Replace(meeting))
}

var meetings = map[string]*site{
	"no name":            meet("meet1", "", ""),
	"the same name":      meet("meet2", "name a", "name a"),
	"the same cookie":    meet("meet3", "", "name a\n cookie {\n name caddy_session\n }"),
	"the same prefix":    meet("meet4", "", "name a\n header_prefix X-Session-"),
	"case":               meet("meet5", "name a", "name A"),
	"one folded prefix":  meet("meet6", "name a_b", "name a-b"),
	"one folded prefix.": meet("meet7", "name x\n header_prefix X-S-", "name y\n header_prefix X_S_"),
}

func TestHandlersThatMeet(t *testing.T) {
	t.Parallel()
	for name, s := range meetings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := s.browser(t).ask("update", `{"a":1}`).want(http.StatusInternalServerError).hides()
			if len(r.Cookies()) > 0 {
				t.Error("an unexpected cookie")
			}
		})
	}
	t.Cleanup(func() {
		for _, advice := range []string{"give one of them another name", "give one of them another header_prefix", "give one of them another cookie name"} {
			awaitLog(t, "the clash", "two session handlers in one request have the same header prefix or cookie name; "+advice)
		}
	})
}

var disjoint = newSite("disjoint", `
	session /admin/* {
		store memory
		secret $SECRET
		inject X-User admin
	}
	session /app/* {
		store memory
		secret $SECRET
		inject X-User user
	}
	session /named/* {
		name other
		store memory
		secret $SECRET
		inject X-User other
	}
	reverse_proxy $BACKEND`)

// Handlers that never serve one request may share headers: one does not clean what the other set.
func TestDisjointMatchers(t *testing.T) {
	t.Parallel()
	b := disjoint.browser(t)
	b.get(ask("/app/", "update", `{"user":"zoe","admin":"root"}`)).want(http.StatusOK).hides().issues()
	b.get(ask("/named/", "X-Session-Other-Update", `{"other":"max"}`)).want(http.StatusOK).hides()
	for path, user := range map[string]string{"/app/": "zoe", "/admin/": "root", "/named/": "max", "/": ""} {
		r := b.with("X-User", forgery).with("X-Session-Data", forgery).get(path)
		checkClean(r, "")
		if got := r.given("X-User"); got != user {
			t.Errorf("%s: X-User %q, want %q", path, got, user)
		}
		data := map[string]string{"/app/": `{"user":"zoe","admin":"root"}`, "/admin/": `{"user":"zoe","admin":"root"}`}[path]
		if got := r.given("X-Session-Data"); got != data {
			t.Errorf("%s: X-Session-Data %q, want %q", path, got, data)
		}
	}
}

var nestedSite = newSite("nested", `
	@api path /api /api/*
	handle @api {
		route {
			session {
				store memory
				secret $SECRET
			}
			handle_path /api/* {
				route {
					reverse_proxy $BACKEND
				}
			}
			handle {
				rewrite * /rewritten
				reverse_proxy $BACKEND
			}
		}
	}
	handle {
		reverse_proxy $BACKEND
	}`)

func TestNestedRoutes(t *testing.T) {
	t.Parallel()
	b := nestedSite.browser(t)
	b.get(ask("/api/x/y", "update", `{"a":1}`)).want(http.StatusOK).hides().issues()
	r := b.get("/api/x").holds(`{"a":1}`)
	if r.sent().Path != "/x" {
		t.Errorf("path %s", r.sent().Path)
	}
	if r := b.get("/api").holds(`{"a":1}`); r.sent().Path != "/rewritten" {
		t.Errorf("path %s", r.sent().Path)
	}
	// Without a session directive, nothing happens.
	if r := b.get("/elsewhere"); r.sent().Header["X-Session-Data"] != nil || r.Header["Vary"] != nil {
		t.Error("a session outside of its route")
	}
}

var responses = newSite("responses", `
	session {
		store memory
		secret $SECRET
	}
	handle /intercept {
		intercept {
			@err status 404
			handle_response @err {
				header X-Intercepted yes
				respond "intercepted" 200
			}
		}
		reverse_proxy $BACKEND
	}
	handle /copy {
		reverse_proxy $BACKEND {
			@all status 2xx
			handle_response @all {
				header X-Copied yes
				copy_response 201
			}
		}
	}
	handle /copyheaders {
		reverse_proxy $BACKEND {
			@all status 2xx
			handle_response @all {
				copy_response_headers
				respond "replaced" 202
			}
		}
	}
	handle /drop {
		reverse_proxy $BACKEND {
			@all status 2xx
			handle_response @all {
				respond "replaced" 202
			}
		}
	}
	handle /exclude {
		reverse_proxy $BACKEND {
			@all status 2xx
			handle_response @all {
				copy_response_headers {
					exclude X-Session-Update
				}
				respond "replaced" 202
			}
		}
	}
	handle /copyerror {
		reverse_proxy $BACKEND {
			@all status 2xx
			handle_response @all {
				copy_response_headers
				error "no" 507
			}
		}
	}
	handle /second {
		reverse_proxy $BACKEND {
			@all status 2xx
			handle_response @all {
				copy_response_headers
				rewrite * /?update=%5B%7B%22op%22%3A%22increment%22%2C%22path%22%3A%22%2Fn%22%2C%22value%22%3A10%7D%5D
				reverse_proxy $BACKEND
			}
		}
	}
	handle /rename {
		reverse_proxy $BACKEND {
			header_down X-Session-Update ".*" "[{\"op\":\"increment\",\"path\":\"/n\",\"value\":100}]"
		}
	}
	handle /status {
		reverse_proxy $BACKEND {
			@all status 2xx
			replace_status @all 299
		}
	}
	handle /auth {
		forward_auth $BACKEND {
			uri {query.auth}
			copy_headers X-Role
		}
		reverse_proxy $BACKEND
	}
	handle {
		reverse_proxy $BACKEND
	}`)

const increment = `[{"op":"increment","path":"/n","value":1}]`

func TestResponseHandlers(t *testing.T) {
	t.Parallel()
	for path, test := range map[string]struct {
		status int
		body   string
		data   string
		query  []string
	}{
		"/intercept":   {200, "intercepted", `{"n":2}`, []string{"status", "404"}},
		"/copy":        {201, "", `{"n":2}`, nil},
		"/copyheaders": {202, "replaced", `{"n":2}`, nil},
		"/drop":        {202, "replaced", `{"n":1}`, nil},
		"/exclude":     {202, "replaced", `{"n":1}`, nil},
		"/copyerror":   {507, "", `{"n":1}`, []string{"X-Session-Control", "destroy", "Set-Cookie", "caddy_session=planted; Path=/"}},
		"/second":      {200, "", `{"n":12}`, nil},
		"/rename":      {200, "", `{"n":101}`, nil},
		"/status":      {299, "", `{"n":2}`, nil},
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			b := responses.browser(t)
			b.change("update", increment)
			ours := b.cookies()
			// No Content-Length: Caddy would keep it for another body.
			r := b.via(func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(answer(w.Header(), r))
				_ = http.NewResponseController(w).Flush()
			}).get(ask(path, append(test.query, "update", increment)...)).want(test.status).hides().keeps()
			if test.body != "" && string(r.body) != test.body {
				t.Errorf("body %q", r.body)
			}
			b.holding(ours).look().holds(test.data)
		})
	}
}

// An error of the next handler is returned unchanged, but our headers do not pass, nor does a
// cookie with our cookie's name.
func TestForwardAuth(t *testing.T) {
	t.Parallel()
	b := responses.browser(t)
	b.change("update", `{"user":"zoe"}`)
	r := b.get(ask("/auth", "auth", ask("/", "X-Role", "admin", "update", `{"auth":1}`))).want(http.StatusOK).hides().keeps()
	if r.given("X-Role") != "admin" {
		t.Errorf("X-Role %q", r.given("X-Role"))
	}
	// forward_auth's response does not count if it allows the request,
	r.holds(`{"user":"zoe"}`)
	b.look().holds(`{"user":"zoe"}`)
	// and counts if it denies it.
	r = b.get(ask("/auth", "auth", ask("/", "status", "403", "update", `{"denied":1}`))).want(http.StatusForbidden).hides()
	r.holds(`{"user":"zoe"}`)
	b.look().holds(`{"user":"zoe","denied":1}`)
}

var errorSession = newSite("errorsession", `
	session {
		store memory
		secret $SECRET
	}
	handle /dead {
		reverse_proxy $DEAD
	}
	handle {
		reverse_proxy $BACKEND
	}
	handle_errors {
		session {
			store memory
			secret $SECRET
		}
		rewrite * /error?{query}
		reverse_proxy $BACKEND
	}`)

// A session of the error routes finds the client's session, although the cookie was removed before.
func TestSessionInErrorRoutes(t *testing.T) {
	t.Parallel()
	b := errorSession.browser(t)
	b.change("update", `{"a":1}`)
	r := b.get(ask("/dead", "update", `{"b":1}`)).want(http.StatusOK).hides().keeps().holds(`{"a":1}`)
	if r.sent().Path != "/error" || r.given("Cookie") != "" {
		t.Errorf("the backend got %+v", r.sent())
	}
	b.look().holds(`{"a":1,"b":1}`)
	// A refused change, and an error page whose change is refused too.
	r = b.ask("update", `{`)
	r.want(http.StatusBadGateway).hides().keeps()
	b.bare().get(ask("/dead", "update", `{"c":1}`)).want(http.StatusOK).hides().issues()
	b.look().holds(`{"a":1,"b":1}`)
}
