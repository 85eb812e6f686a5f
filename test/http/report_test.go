package http_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/test/harness"
	"github.com/caddy-session/caddy-session/test/harness/faulty"
	"github.com/caddy-session/caddy-session/test/redistest"
)

// reported returns what the log lines with this message have in the fields that begin with a
// prefix, as "name=value" in the order of the names. It leaves out refs.
func reported(c *harness.Caddy, message, prefix string) (all []string) {
	for line := range strings.Lines(c.Log()) {
		var entry map[string]any
		if json.Unmarshal([]byte(line), &entry) != nil || entry["msg"] != message {
			continue
		}
		var fields []string
		for _, name := range slices.Sorted(maps.Keys(entry)) {
			if text, ok := entry[name].(string); ok && strings.HasPrefix(name, prefix) && !strings.HasPrefix(name, "session_ref") {
				fields = append(fields, strings.TrimPrefix(name, prefix)+"="+text)
			}
		}
		all = append(all, strings.Join(fields, " "))
	}
	return all
}

// accessLog checks the lines of the access log, one after the other.
type accessLog struct {
	t    *testing.T
	c    *harness.Caddy
	seen int
}

// says fails the test unless the next line has these fields of sessions, beside refs.
func (a *accessLog) says(name, fields string) {
	a.t.Helper()
	var got []string
	eventually(a.t, "there is a line in the access log", func() bool {
		got = reported(a.c, "handled request", "session_")
		return len(got) > a.seen
	})
	if got[a.seen] != fields {
		a.t.Errorf("%s: the access log says %q, want %q", name, got[a.seen], fields)
	}
	a.seen++
}

const outcomes = `
http://$ADDR {
	log
	session {
		store faulty $DIR/store
		secret $SECRET
		$OPTIONS
	}
	session /other/* {
		name other
		store faulty $DIR/store
		secret $SECRET
		cookie {
			name other
		}
	}
	session /shared/* {
		name shared
		store faulty $DIR/store
		secret $SECRET
		cookie {
			name other2
		}
	}
	handle /placeholder {
		respond "{http.session.outcome}"
	}
	handle /dead {
		reverse_proxy $DEAD
	}
	handle {
		reverse_proxy $BACKEND
	}
	handle_errors {
		respond "{http.session.outcome}"
	}
}`

func startOutcomes(t *testing.T, options string) (*browser, *accessLog, faulty.Control) {
	t.Helper()
	c := start(t, globals()+strings.Replace(outcomes, "$OPTIONS", options, 1))
	dir := filepath.Join(c.Dir, "store")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return visit(t, c), &accessLog{t: t, c: c}, faulty.Control(dir)
}

// TestOutcomesInTheAccessLog has a request for each value of session_outcome.
func TestOutcomesInTheAccessLog(t *testing.T) {
	t.Parallel()
	b, log, control := startOutcomes(t, "")
	names := func(cookies ...string) string { return "caddy_session=" + strings.Join(cookies, "; caddy_session=") }
	value := func() string { return strings.TrimPrefix(b.cookies(), "caddy_session=") }
	forged, unknown := signed(t, oldSecret), signed(t, secret)
	is := func(cookie, outcome string) {
		t.Helper()
		if got := string(b.holding(cookie).get("/placeholder").body); got != outcome {
			t.Errorf("{http.session.outcome} is %q, want %q", got, outcome)
		}
		log.says(outcome, "outcome="+outcome)
	}

	is("theme=dark", "none")
	is(names(forged), "forged")
	is(names("nonsense"), "forged")
	is(names(unknown), "unknown")
	is(names(forged, unknown), "unknown")

	b.change("update", `{"a":1}`).issues()
	log.says("a new session", "commit=saved outcome=none")
	first := value()
	is(names(first), "hit")
	is(names(forged, unknown, first), "hit")

	b.change("control", "regenerate").issues()
	log.says("regenerate", "commit=saved outcome=hit")
	second := value()
	is(names(first), "hit") // until somebody uses the new id
	is(names(second), "hit")
	is(names(first), "expired")
	is(names(unknown, first), "expired")

	b.change("control", "destroy").expires()
	log.says("destroy", "commit=saved outcome=hit")
	is(names(second), "unknown")

	tell(t, control, faulty.Get, faulty.Fail)
	if got := string(b.holding(names(unknown)).get("/").want(http.StatusServiceUnavailable).body); got != "unavailable" {
		t.Errorf("in error routes, {http.session.outcome} is %q", got)
	}
	log.says("a store that fails", "outcome=unavailable")
	is("", "none") // the store is not asked
	tell(t, control, faulty.Get, "")
	b.change("update", `{"a":1}`)
	log.says("another session", "commit=saved outcome=none")
	tell(t, control, faulty.Get, faulty.Damaged)
	b.get("/").want(http.StatusServiceUnavailable)
	log.says("a damaged record", "outcome=unavailable")
	tell(t, control, faulty.Get, "")
	checkQuiet(t, log.c, first, second, forged, unknown)
}

// With on_store_error anonymous, the request goes on, and the access log says why it is anonymous.
func TestOutcomeUnavailableAndAnonymous(t *testing.T) {
	t.Parallel()
	b, log, control := startOutcomes(t, "on_store_error anonymous")
	tell(t, control, faulty.Get, faulty.Fail)
	if got := string(b.holding("caddy_session=" + signed(t, secret)).get("/placeholder").body); got != "unavailable" {
		t.Errorf("{http.session.outcome} is %q", got)
	}
	log.says("a store that fails", "outcome=unavailable")
}

// A record of another site is told apart from a missing one. The fields of several handlers in one
// request do not collide.
func TestOutcomesOfSeveralHandlers(t *testing.T) {
	t.Parallel()
	b, log, _ := startOutcomes(t, "")
	b.get(ask("/other/", "X-Session-Other-Update", `{"a":1}`)).want(http.StatusOK)
	log.says("another handler's session", "commit_other=saved outcome=none outcome_other=none")
	_, other, found := strings.Cut(b.cookies(), "other=")
	if !found {
		t.Fatalf("no cookie: %s", b.cookies())
	}
	b.holding("caddy_session=" + other + "; other=" + other).get("/other/").want(http.StatusOK)
	log.says("a cookie of another scope", "outcome=scope outcome_other=hit")
	b.holding("other2=" + other).get("/shared/").want(http.StatusOK)
	log.says("the same in another handler", "outcome=none outcome_shared=scope")
	b.get(ask("/other/", "X-Session-Other-Update", `{`)).want(http.StatusBadGateway)
	log.says("the inner one refuses", "commit_other=refused outcome=none outcome_other=hit")
	b.get(ask("/other/", "X-Session-Other-Update", `{"a":2}`, "update", "{")).want(http.StatusBadGateway)
	log.says("the outer one refuses", "commit=refused commit_other=saved outcome=none outcome_other=hit")
	checkQuiet(t, log.c, other)
}

// A handler without a name behind one with a name has fields of its own too.
func TestOutcomesOfUnnamedHandlers(t *testing.T) {
	t.Parallel()
	c := start(t, globals()+`
http://$ADDR {
	log
	session {
		name shop
		store memory outcomes
		secret $SECRET
	}
	session {
		store memory outcomes
		secret $SECRET
	}
	reverse_proxy $BACKEND
}`)
	log := &accessLog{t: t, c: c}
	visit(t, c).holding("caddy_session=x").look()
	log.says("the second one has no name", "outcome=none outcome_2=forged")
}

// TestCommitsInTheAccessLog has a response for each value of session_commit.
func TestCommitsInTheAccessLog(t *testing.T) {
	t.Parallel()
	b, log, control := startOutcomes(t, "capture X-Login login")
	b.change("update", `{"a":1}`)
	log.says("an update", "commit=saved outcome=none")
	b.change("update", `{"a":1}`)
	log.says("the same again", "outcome=hit")
	b.look()
	log.says("no change", "outcome=hit")
	b.ask("update", `{`).want(http.StatusBadGateway)
	log.says("not valid", "commit=refused outcome=hit")
	tell(t, control, faulty.Set, faulty.Fail)
	b.ask("update", `{"a":2}`).want(http.StatusServiceUnavailable)
	log.says("a store that fails", "commit=failed outcome=hit")
	tell(t, control, faulty.Set, "")
	b.get("/dead").want(http.StatusBadGateway)
	log.says("the app is down", "outcome=hit")

	slow := b.hold("update", `{"a":3}`)
	b.change("control", "destroy")
	log.says("a logout", "commit=saved outcome=hit")
	slow.release().want(http.StatusOK)
	log.says("a change under way at the logout", "commit=dropped outcome=hit")
}

// TestOutcomesInTheCookie is the same for sessions that are in the cookie itself: there is no
// record that could be missing or another site's.
func TestOutcomesInTheCookie(t *testing.T) {
	t.Parallel()
	c := start(t, globals()+`
http://$ADDR {
	log
	session {
		dialect flask {
			secret "`+appSecret+`"
		}
	}
	handle /placeholder {
		respond "{http.session.outcome}"
	}
	reverse_proxy $BACKEND
}`)
	b, log := visit(t, c), &accessLog{t: t, c: c}
	b.look()
	log.says("no cookie", "outcome=none")
	b.holding("session=x").look()
	log.says("another secret", "outcome=forged")
	b.holding("session=" + flaskCookie).look()
	log.says("a cookie of 2023", "outcome=expired")
	b.change("update", `{"a":1}`)
	log.says("a new session", "commit=saved outcome=none")
	b.look()
	log.says("the session", "outcome=hit")
	b.change("update", `{"a":null}`)
	log.says("an empty session", "commit=saved outcome=hit")
	b.ask("update", `{`).want(http.StatusBadGateway)
	log.says("not valid", "commit=refused outcome=none")
	checkQuiet(t, c, flaskCookie)
}

// TestReportAtDebug checks the line at level DEBUG: it has names, and no values.
func TestReportAtDebug(t *testing.T) {
	t.Parallel()
	c := start(t, globals("debug")+`
http://$ADDR {
	session /app/* {
		store memory
		secret $SECRET
		inject X-User user
		vault theme
	}
	reverse_proxy $BACKEND
}`)
	b := visit(t, c)
	backend := respondWith("update", `{"user":"`+canary+`"}`, "Set-Cookie", "theme="+canary)
	b.via(backend).get("/app/").want(http.StatusOK)
	b.with("Cookie", "other="+canary+"; "+canary).get("/app/").want(http.StatusOK)
	b.get("/elsewhere").want(http.StatusOK)
	c.Stop()
	var lines []string
	for line := range strings.Lines(c.Log()) {
		var entry struct{ Logger, Msg string }
		if json.Unmarshal([]byte(line), &entry) == nil && strings.HasPrefix(entry.Logger, "http.handlers.session") && strings.HasPrefix(entry.Msg, "the ") {
			lines = append(lines, line)
		}
	}
	if len(lines) != 4 { // the first one is that of the start
		t.Fatalf("%d lines: %q", len(lines), lines)
	}
	for i, want := range [][]string{
		{`"the session handler has started"`},
		{`"the session of a request"`, `"outcome":"none","commit":"saved"`, `"cookie":"set","cookie_name":"caddy_session"`, `"taken":["X-Session-Update","Set-Cookie"]`},
		{
			`"the session of a request"`, `"outcome":"hit","commit":""`, `"cookie":"kept"`, `"session_cookies":1,"valid_cookies":1`, `"received_cookies":["caddy_session","other"]`,
			`"forwarded":["X-User","X-Session-Data","X-Session-Info","theme"]`,
		},
		{`"the matcher of session does not cover a request"`, `"path":"/elsewhere"`, `"session":"X-Session-"`},
	} {
		for _, text := range want {
			if !strings.Contains(lines[i], text) {
				t.Errorf("line %d has no %s: %s", i+1, text, lines[i])
			}
		}
		if strings.Contains(lines[i], canary) || strings.Contains(lines[i], b.cookies()) {
			t.Errorf("a value is in the log: %s", lines[i])
		}
	}
}

// TestStartIsLogged checks the line of each handler at the start and at each reload.
func TestStartIsLogged(t *testing.T) {
	t.Parallel()
	const message, password = "the session handler has started", "the-password"
	server := redistest.Start(t, redistest.Options{})
	config := `
http://$ADDR {
	session
	session {
		name shop
		scope shops
		secret $SECRET $OLDSECRET
		store redis redis://default:` + password + `@` + server.Addr() + `/3
		cookie {
			domain example.org
			secure on
		}
	}
	session {
		name app
		dialect flask {
			secret "` + appSecret + `"
		}
	}
	reverse_proxy $BACKEND
}`
	c := start(t, globals()+config)
	if err := c.Reload(expand(globals() + strings.Replace(config, "reverse_proxy", "header X-Reloaded yes\n\treverse_proxy", 1))); err != nil {
		t.Fatal(err)
	}
	eventually(t, "both configurations have told", func() bool { return len(reported(c, message, "")) == 6 })
	for i, want := range [][]string{
		{
			"store=bolt", "place=" + filepath.Join(c.Dir, "data", "caddy", "session", "sessions.db"), "secret=session/secret.key in the storage of Caddy",
			"scope=each host by itself", "cookie=caddy_session; Path=/; HttpOnly; SameSite=Lax",
			"cookie_over_tls=__Host-caddy_session; Path=/; HttpOnly; Secure; SameSite=Lax",
		},
		{
			"name=shop", "store=redis", "place=" + server.Addr() + " db 3", "secret=the configuration, 2 keys", "scope=the label shops",
			"cookie=caddy_session_shop; Path=/; Domain=example.org; HttpOnly; Secure; SameSite=Lax",
		},
		{"name=app", "store=none", "place=the cookie", "dialect=flask", "secret=the dialect", "scope=all sites with the secret and the store", "cookie=session; "},
	} {
		lines := slices.DeleteFunc(reported(c, message, ""), func(line string) bool { // in no order
			return slices.ContainsFunc(want, func(text string) bool { return !strings.Contains(line, text) })
		})
		if len(lines) != 2 {
			t.Errorf("handler %d: %d lines have %q: %q", i+1, len(lines), want, reported(c, message, ""))
		}
	}
	for _, word := range []string{password, secret, oldSecret, appSecret} {
		for _, line := range leaks(c.Log(), []string{word}) {
			t.Errorf("the log has a secret: %s", line)
		}
	}
	if out, err := c.Command("validate", "--config", c.Config(), "--adapter", "caddyfile").CombinedOutput(); err != nil || strings.Contains(string(out), message) {
		t.Errorf("caddy validate starts a handler: %v: %s", err, out)
	}
}

// A store on the network without a secret is a warning: other instances may have other keys.
func TestStoreOnTheNetworkWithoutASecret(t *testing.T) {
	t.Parallel()
	const message = "the store is on the network and there is no secret"
	for options, warns := range map[string]bool{
		"store redis redis.invalid": true, "store redis redis.invalid\nsecret $SECRET": false, "store redis 127.0.0.1:1": false,
		"store redis unix//nowhere.sock": false, "store memory": false, "": false,
	} {
		c := start(t, globals()+"http://$ADDR {\n session {\n"+options+"\n}\n respond ok\n}")
		eventually(t, "it has started", func() bool { return len(reported(c, "the session handler has started", "")) == 1 })
		c.Stop()
		if warned := strings.Contains(c.Log(), message); warned != warns {
			t.Errorf("%s: warned %t", options, warned)
		}
	}
}
