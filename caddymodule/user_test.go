package caddymodule

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-session/caddy-session/caddymodule/session"
)

func TestUserOptions(t *testing.T) {
	for options, want := range map[string]string{
		"user":                                 "missing value: a field and perhaps authenticate",
		`user ""`:                              "user: ",
		"user a..b":                            "empty segment",
		"user a authenticated":                 "after the field, only authenticate may come, not authenticated",
		"user a authenticate b":                "takes one or two values",
		"user a\nuser b":                       "given twice",
		"anonymous_timeout 1h":                 "anonymous_timeout: needs the option user",
		"anonymous_timeout -1s":                "anonymous_timeout",
		"max_user_sessions 3":                  "max_user_sessions: needs the option user",
		"user a\nmax_user_sessions":            "missing value",
		"user a\nmax_user_sessions 0":          "must be a number from 1 to 1000",
		"user a\nmax_user_sessions 1001":       "must be a number from 1 to 1000",
		"user a\nmax_user_sessions x":          "must be a number from 1 to 1000",
		"user a\nmax_user_sessions 1 newest":   "must be end_oldest or refuse",
		"user a\nmax_user_sessions 1 refuse x": "takes one or two values",
		"name user":                            `"user" is the name of a placeholder`,
		"user a\nanonymous_timeout":            "missing value",
	} {
		if _, err := provision(t, inMemory(t, options)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", options, err, want)
		}
	}
	for _, options := range []string{
		"user a.b", "user a authenticate", "user a\nmax_user_sessions 1", "max_user_sessions 1000 refuse\nuser a", "user a\nmax_user_sessions 2 end_oldest",
		"anonymous_timeout 1h\nuser a"} {
		if _, err := provision(t, inMemory(t, options)); err != nil {
			t.Errorf("%q: %v", options, err)
		}
	}
}

// userID is what Caddy's access log and php_fastcgi take for the user.
func userID(r *http.Request) (any, bool) {
	return r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer).Get("http.auth.user.id")
}

// ask sends a request with a session of this data through the handlers, the first outermost, and
// returns what the app sees of the user. before runs before each of the inner handlers.
func askUser(t *testing.T, cookies []*http.Cookie, before func(r *http.Request), handlers ...*Handler) (user string, id any, found bool) {
	t.Helper()
	var run func(i int) handlerFunc
	run = func(i int) handlerFunc {
		return func(w http.ResponseWriter, r *http.Request) error {
			if i == len(handlers) {
				user = session.From(r).User()
				id, found = userID(r)
				return nil
			}
			before(r)
			return handlers[i].ServeHTTP(w, r, run(i+1))
		}
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	for _, c := range cookies {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	if err := run(0)(w, prepare(w, r)); err != nil {
		t.Fatal(err)
	}
	return user, id, found
}

func nothing(*http.Request) {}

func TestUserAuthenticates(t *testing.T) {
	h := mustProvision(t, inMemory(t, "user user.name authenticate"))
	plain := mustProvision(t, inMemory(t, "user user.name"))
	zoe := []*http.Cookie{create(t, h, `{"user":{"name":"zoe"}}`)}
	if user, id, _ := askUser(t, zoe, nothing, h); user != "zoe" || id != session.UserID("zoe") {
		t.Errorf("user %q, authenticated %v", user, id)
	}
	if user, id, found := askUser(t, zoe, nothing, plain); user != "zoe" || found {
		t.Errorf("without authenticate: user %q, authenticated %v", user, id)
	}
	if user, id, found := askUser(t, nil, nothing, h); user != "" || found {
		t.Errorf("without a session: user %q, authenticated %v", user, id)
	}
	// What another handler has said before stays, the same name too.
	for _, name := range []string{"alice", "zoe"} {
		alice := func(r *http.Request) {
			r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer).Set("http.auth.user.id", name)
		}
		if user, id, _ := askUser(t, zoe, alice, h); user != "zoe" || id != name {
			t.Errorf("after another handler: user %q, authenticated %v", user, id)
		}
	}
}

// Of two sessions in one request, the inner one says who it is, and be it nobody.
func TestInnerSessionSaysWhoItIs(t *testing.T) {
	outer := mustProvision(t, inMemory(t, "name shop\nuser user authenticate"))
	inner := mustProvision(t, inMemory(t, "user user authenticate"))
	silent := mustProvision(t, inMemory(t, "name silent\nuser user"))
	w, err := serve(outer, httptest.NewRequest(http.MethodGet, "/", nil), func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("X-Session-shop-Update", `{"user":"customer"}`)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	customer, admin := w.Result().Cookies()[0], create(t, inner, `{"user":"admin"}`)
	for name, c := range map[string]struct {
		cookies  []*http.Cookie
		handlers []*Handler
		want     any
	}{
		"both":              {[]*http.Cookie{customer, admin}, []*Handler{outer, inner}, session.UserID("admin")},
		"the outer alone":   {[]*http.Cookie{customer}, []*Handler{outer, inner}, nil},
		"the inner alone":   {[]*http.Cookie{admin}, []*Handler{outer, inner}, session.UserID("admin")},
		"one that is quiet": {[]*http.Cookie{customer}, []*Handler{outer, silent}, session.UserID("customer")},
	} {
		if _, id, _ := askUser(t, c.cookies, nothing, c.handlers...); id != c.want {
			t.Errorf("%s: authenticated %v, want %v", name, id, c.want)
		}
	}
}

// {http.session.user} is what the option says, not the raw field.
func TestUserPlaceholder(t *testing.T) {
	h := mustProvision(t, inMemory(t, "user user"))
	for data, want := range map[string]string{
		`{"user":"zoe"}`: "zoe", `{"user":17}`: "17", `{"user":{"name":"zoe"}}`: "", `{"a":1}`: "",
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.AddCookie(create(t, h, data))
		_, err := serve(h, r, func(_ http.ResponseWriter, r *http.Request) error {
			repl := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
			if got, known := repl.GetString("http.session.user"); got != want || !known {
				t.Errorf("%s: %q, want %q", data, got, want)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// A login beyond the limit is a 403, and nothing of the app's response is sent.
func TestLoginBeyondTheLimitIsForbidden(t *testing.T) {
	h := mustProvision(t, inMemory(t, "user user\nmax_user_sessions 1 refuse"))
	create(t, h, `{"user":"zoe"}`)
	var (
		w   *httptest.ResponseRecorder
		err error
	)
	count := counted(t, func() {
		w, err = serve(h, httptest.NewRequest(http.MethodGet, "/", nil), func(w http.ResponseWriter, _ *http.Request) error {
			w.Header().Set("X-Session-Update", `{"user":"zoe"}`)
			_, err := w.Write([]byte("welcome"))
			return err
		})
	})
	if count["commits_total outcome=limited"] != 1 {
		t.Errorf("counted %v", count)
	}
	if statusOf(err) != http.StatusForbidden || strings.Contains(w.Body.String(), "welcome") || len(w.Result().Cookies()) > 0 {
		t.Errorf("%v, the body %q", err, w.Body)
	}
	create(t, h, `{"user":"bob"}`)
}

// An app logs out everywhere else, or everywhere.
func TestControlEndsOtherSessions(t *testing.T) {
	h := mustProvision(t, inMemory(t, "user user"))
	ask := func(c *http.Cookie, control string) (data string, status int) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.AddCookie(c)
		_, err := serve(h, r, func(w http.ResponseWriter, r *http.Request) error {
			data = r.Header.Get("X-Session-Data")
			w.Header().Set("X-Session-Control", control)
			return nil
		})
		return data, statusOf(err)
	}
	own, other := create(t, h, `{"user":"zoe"}`), create(t, h, `{"user":"zoe"}`)
	for _, control := range []string{"end-others=?0, end-all=?0", "end-others"} {
		if data, _ := ask(other, ""); data != `{"user":"zoe"}` {
			t.Errorf("before %s: %s", control, data)
		}
		if _, status := ask(own, control); status != 0 {
			t.Errorf("%s: status %d", control, status)
		}
	}
	if data, _ := ask(other, ""); data != "{}" {
		t.Errorf("another session has %s", data)
	}
	other = create(t, h, `{"user":"zoe"}`)
	if data, status := ask(own, "end-all"); data != `{"user":"zoe"}` || status != 0 {
		t.Errorf("end-all: %s, status %d", data, status)
	}
	for _, c := range []*http.Cookie{own, other} {
		if data, _ := ask(c, ""); data != "{}" {
			t.Errorf("after end-all, a session has %s", data)
		}
	}
	h = mustProvision(t, inMemory(t, ""))
	if _, status := ask(create(t, h, `{"user":"zoe"}`), "end-others"); status != http.StatusBadGateway {
		t.Errorf("without the option user: status %d", status)
	}
}

// In a client-side dialect, the user is known too, but not where else that user is.
func TestUserOfAClientSideDialect(t *testing.T) {
	h := mustProvision(t, "user user authenticate\ndialect flask {\nsecret dev\n}")
	c := create(t, h, `{"user":"zoe"}`)
	if user, id, _ := askUser(t, []*http.Cookie{c}, nothing, h); user != "zoe" || id != session.UserID("zoe") {
		t.Errorf("user %q, authenticated %v", user, id)
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.AddCookie(c)
	_, err := serve(h, r, func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("X-Session-Control", "end-others")
		return nil
	})
	if statusOf(err) != http.StatusBadGateway {
		t.Errorf("end-others: %v", err)
	}
	for options, want := range map[string]string{
		"anonymous_timeout 1h": "anonymous_timeout cannot be used with dialect flask",
		"max_user_sessions 1":  "max_user_sessions cannot be used with dialect flask",
	} {
		if _, err := provision(t, "user user\n"+options+"\ndialect flask {\nsecret dev\n}"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", options, err)
		}
	}
}
