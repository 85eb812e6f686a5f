package http_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/test/harness"
	"github.com/caddy-session/caddy-session/test/redistest"
)

// The tests in this file are the causes in docs/troubleshooting.md: the tool that is named there
// names the cause, and so does caddy session explain. Other tests show wrong settings of
// flask_session (doubt_test.go), cookies that browsers refuse (explain_test.go), and records of
// another site (report_test.go).

// caused starts a site and returns a browser with a session in it, and the access log after that.
func caused(t *testing.T, body string) (*harness.Caddy, *browser, *accessLog) {
	t.Helper()
	c := start(t, globals("debug")+"http://$ADDR {\nlog\n"+body+"\n}")
	b, log := visit(t, c), &accessLog{t: t, c: c}
	b.change("update", `{"a":1}`)
	log.says("a new session", "commit=saved outcome=none")
	return c, b, log
}

func reload(t *testing.T, c *harness.Caddy, body string) {
	t.Helper()
	if err := c.Reload(expand(globals("debug") + "http://$ADDR {\nlog\n" + body + "\n}")); err != nil {
		t.Fatal(err)
	}
}

// startLine waits for the n-th line of a start, and returns it.
func startLine(t *testing.T, c *harness.Caddy, n int) string {
	t.Helper()
	const message = "the session handler has started"
	eventually(t, "the handler has told", func() bool { return len(reported(c, message, "")) >= n })
	return reported(c, message, "")[n-1]
}

func TestCauseRotatedKeyWithoutTheOldOne(t *testing.T) {
	t.Parallel()
	const body = "session {\nstore memory\nsecret %s\n}\nreverse_proxy $BACKEND"
	c, b, log := caused(t, fmt.Sprintf(body, "$OLDSECRET"))
	reload(t, c, fmt.Sprintf(body, "$SECRET"))
	b.look().holds("{}")
	log.says("another key", "outcome=forged")
	wrong(t, c, b, "/", "no key has signed the cookie", "secret <new key> <old key>", "session_outcome is forged")
	reload(t, c, fmt.Sprintf(body, "$SECRET $OLDSECRET"))
	b.look().holds(`{"a":1}`)
	log.says("both keys", "outcome=hit")
	fine(t, c, b, "/", "the cookie's signature is right", "2 keys", "7 bytes of data", "session_outcome is hit")
}

func TestCauseOtherStore(t *testing.T) {
	t.Parallel()
	const body = "session {\nstore memory %s\nsecret $SECRET\n}\nreverse_proxy $BACKEND"
	c, b, log := caused(t, fmt.Sprintf(body, "one"))
	reload(t, c, fmt.Sprintf(body, "two"))
	b.look().holds("{}")
	log.says("another store", "outcome=unknown")
	wrong(t, c, b, "/", "memory two has no record with the ref", "compare store, place and key_prefix", "session_outcome is unknown")
	if one, two := startLine(t, c, 1), startLine(t, c, 2); !strings.Contains(one, "place=one") || !strings.Contains(two, "place=two") {
		t.Errorf("at the start: %s; %s", one, two)
	}
}

func TestCauseOtherKeyPrefix(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Options{})
	body := "session {\nstore redis " + server.Addr() + " {\n%s\n}\nsecret $SECRET\n}\nreverse_proxy $BACKEND"
	c, b, log := caused(t, fmt.Sprintf(body, ""))
	reload(t, c, fmt.Sprintf(body, "key_prefix other:"))
	b.look().holds("{}")
	log.says("another prefix", "outcome=unknown")
	wrong(t, c, b, "/", "prefix other: has no record with the ref", "session_outcome is unknown")
	if line := startLine(t, c, 2); !strings.Contains(line, "prefix other:") {
		t.Errorf("at the start: %s", line)
	}
}

func TestCauseCookiePath(t *testing.T) {
	t.Parallel()
	c, b, log := caused(t, "session {\nstore memory\nsecret $SECRET\ncookie {\npath /shop\n}\n}\nreverse_proxy $BACKEND")
	b.get("/shop/").want(http.StatusOK).holds(`{"a":1}`)
	log.says("below the path", "outcome=hit")
	b.get("/").want(http.StatusOK).holds("{}")
	log.says("outside of the path", "outcome=none")
	wrong(t, c, b, "/", "browsers do not send it to /: its path does not cover that", "Path=/shop")
	fine(t, c, visit(t, c), "/shop/", "no cookie was given", "session_outcome is none")
	if line := startLine(t, c, 1); !strings.Contains(line, "Path=/shop") {
		t.Errorf("at the start: %s", line)
	}
}

func TestCauseMatcherThatMisses(t *testing.T) {
	t.Parallel()
	c, b, log := caused(t, "@covered not path /missed\nsession @covered {\nstore memory\nsecret $SECRET\n}\nreverse_proxy $BACKEND")
	r := b.get(ask("/missed", "update", `{"a":2}`)).want(http.StatusOK)
	if r.given("X-Session-Data") != "" {
		t.Error("the app got a session")
	}
	log.says("a request that the matcher misses", "")
	wrong(t, c, b, "/missed", "not through session: its matcher does not cover this request", "widen the matcher")
	fine(t, c, b, "/other", "session_outcome is hit")
	for _, message := range []string{"the matcher of session does not cover a request", "session headers are ignored in a response that the matcher of session does not cover"} {
		if !c.WaitLog(message) {
			t.Errorf("not logged: %s", message)
		}
	}
}

// The order in a route, and a sibling without session, are seen by caddy session check alone.
func TestCausesInTheConfiguration(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ body, want, path, explained string }{
		"reverse_proxy before session": {"route {\nreverse_proxy $BACKEND\nsession {\nstore memory\n}\n}", "no request gets to this session", "/", "and not through session: no session handler of this server comes before"},
		"a sibling without session":    {"handle /app/* {\nsession {\nstore memory\n}\nreverse_proxy $BACKEND\n}\nhandle {\nreverse_proxy $BACKEND\n}", "is reached here without the session", "/", "anybody can send it session headers here"},
		"a gate without session":       {"handle /app/* {\nsession_gate user /login\n}\nreverse_proxy $BACKEND", "before this session_gate", "/app/", "answered by session_gate: 500"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := start(t, globals()+"http://$ADDR {\nlog\n"+test.body+"\n}")
			if given := visit(t, c).with("X-Session-Data", `{"user":"forged"}`).look().given("X-Session-Data"); given != `{"user":"forged"}` {
				t.Errorf("the app got %s", given)
			}
			(&accessLog{t: t, c: c}).says("not through session", "")
			out, err := c.Command("session", "check", "--config", c.Config()).Output()
			if err == nil || !strings.Contains(string(out), test.want) || !strings.Contains(string(out), filepath.Base(c.Config())+":") {
				t.Errorf("caddy session check: %v: %s", err, out)
			}
			wrong(t, c, visit(t, c), test.path, test.explained, test.want, "In the configuration of srv0:")
		})
	}
}

// An app in an error route gets no session unless there is one too: that of the site has ended with
// the error.
func TestCauseErrorRouteWithoutSession(t *testing.T) {
	t.Parallel()
	const (
		session = "session {\nstore file $DIR/sessions\nsecret $SECRET\n}\n"
		site    = session + "error /gone 410\nerror /plain 418\nhandle /files/* {\nroot $DIR\nfile_server\n}\nreverse_proxy $BACKEND\nhandle_errors %s {\nrewrite /plain /other\n%s\n}"
	)
	c, b, _ := caused(t, fmt.Sprintf(site, "404 410", "reverse_proxy $BACKEND"))
	for path, says := range map[string]string{"/gone": "error: 410", "/files/none": "file_server: 404"} {
		if got := b.get(path).want(http.StatusOK).given("X-Session-Data"); got != "" {
			t.Errorf("%s: the app got a session: %s", path, got)
		}
		wrong(t, c, b, path, says+"; the error routes (handle_errors) get the request", "session_outcome is hit",
			"and not through session: that has ended with the error", "into handle_errors too")
	}
	fine(t, c, b, "/plain", "no error route answers, so only the status is sent. error: 418")
	fine(t, c, b, "/", "answered by reverse_proxy")

	reload(t, c, fmt.Sprintf(site, "", session+"reverse_proxy $BACKEND"))
	for _, path := range []string{"/gone", "/plain", "/files/none"} {
		b.get(path).want(http.StatusOK).holds(`{"a":1}`)
		fine(t, c, b, path, "the error routes (handle_errors) get the request", "answered by reverse_proxy", "7 bytes of data")
	}
	reload(t, c, fmt.Sprintf(site, "", "respond \"sorry\" 410"))
	b.get("/gone").want(http.StatusGone)
	fine(t, c, b, "/gone", "error: 410; the error routes", "answered by static_response: 410")
}

// A matcher may answer with an error, as try_files does with =404: nothing is wrong with it.
func TestCauseErrorRouteOfTryFiles(t *testing.T) {
	t.Parallel()
	c, b, _ := caused(t, "session {\nstore memory\nsecret $SECRET\n}\nhandle /files/* {\nroot $DIR\ntry_files {path} =404\nfile_server\n}\n"+
		"reverse_proxy $BACKEND\nhandle_errors 404 {\nreverse_proxy $BACKEND\n}")
	if got := b.get("/files/none").want(http.StatusOK).given("X-Session-Data"); got != "" {
		t.Errorf("the app got a session: %s", got)
	}
	wrong(t, c, b, "/files/none", "a matcher: 404; the error routes (handle_errors) get the request", "into handle_errors too")
	if out, _ := explain(t, c, b.base+"/files/none", ""); strings.Contains(out, "correct the matcher") {
		t.Errorf("the matcher is called wrong: %s", out)
	}
}

// What the session refuses by the request alone, the explanation names.
func TestCauseRefusedRequest(t *testing.T) {
	t.Parallel()
	c, b, _ := caused(t, "session {\nstore memory\nsecret $SECRET\n}\nhandle_errors {\nrespond {http.session.error}\n}\nreverse_proxy $BACKEND")
	for says, args := range map[string][]string{"session: 405": {"--method", "TRACE"}, "session: 425": {"--header", "Early-Data: 1"}} {
		out, fine := explain(t, c, b.base+"/", b.cookies(), args...)
		if fine || !strings.Contains(out, says+"; the error routes") {
			t.Errorf("%s: %s", args, out)
		}
	}
}

// A session that refuses the request is not behind the app of an error route either.
func TestCauseErrorRouteOfTheSession(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Options{})
	c, b, _ := caused(t, "handle {\nsession {\nstore redis "+server.Addr()+"\nsecret $SECRET\n}\nreverse_proxy $BACKEND\n}\nhandle_errors {\nreverse_proxy $BACKEND\n}")
	server.Kill()
	if got := b.get("/").want(http.StatusOK).given("X-Session-Data"); got != "" {
		t.Errorf("the app got a session: %s", got)
	}
	wrong(t, c, b, "/", "session: 503; the error routes (handle_errors) get the request", "session_outcome is unavailable", "that has ended with the error")
}

func TestCauseInvalidJSON(t *testing.T) {
	t.Parallel()
	c, b, log := caused(t, "session {\nstore memory\nsecret $SECRET\n}\nreverse_proxy $BACKEND")
	b.ask("update", `{"a":`).want(http.StatusBadGateway)
	log.says("bad JSON", "commit=refused outcome=hit")
	if !c.WaitLog("X-Session-Update, line 1: invalid change") {
		t.Error("the log does not say which header is wrong")
	}
	wrong(t, c, b, "/", "a change was refused with the status 502: X-Session-Update, line 1: invalid change", "session_outcome is hit")
}

func TestCauseHeadersTooLongForTheApp(t *testing.T) {
	t.Parallel()
	c, b, _ := caused(t, "session {\nstore memory\nsecret $SECRET\nmax_size 16000\n}\nreverse_proxy $BACKEND")
	if !c.WaitLog("max_size allows headers that many servers refuse") {
		t.Error("no warning at the start")
	}
	wrong(t, c, b, "/", "max_size (16000) allows headers of 16018 bytes, which many servers refuse", "set max_headers")
	b.via(respondWith("update", `{"long":"`+strings.Repeat("x", 9000)+`"}`)).get("/").want(http.StatusOK)
	b.via(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusRequestHeaderFieldsTooLarge)
	}).get("/").want(http.StatusRequestHeaderFieldsTooLarge)
	if !c.WaitLog("the app refused a request, perhaps because its headers are too long; see max_headers") {
		t.Error("the log does not name the cause")
	}
	wrong(t, c, b, "/", "Many servers refuse that: the limit is 8190 bytes", "the app refused a request with the status 431, perhaps because its headers are too long")
}

// PHP that sends its header after output has begun sends none. Only PHP's own log says so.
func TestCausePHPHeaderAfterOutput(t *testing.T) {
	t.Parallel()
	php, addr, dir := harness.Program(t, "php"), harness.FreeAddr(t), t.TempDir()
	putFile(t, filepath.Join(dir, "index.php"), "<?php\n"+
		"$late = $_SERVER['REQUEST_URI'] === '/late';\n"+
		"if ($late) { echo 'output'; flush(); }\n"+
		"header('X-Session-Update: {\"a\":2}');\n"+
		"echo $_SERVER['HTTP_X_SESSION_DATA'];\n")
	cmd := exec.Command(php, "-d", "output_buffering=0", "-d", "display_errors=0", "-d", "log_errors=1", "-S", addr, "index.php")
	cmd.Dir = dir
	phpLog := harness.Serve(t, "php", addr, cmd)
	c := start(t, globals("debug")+"http://$ADDR {\nlog\nsession {\nstore memory\nsecret $SECRET\n}\nreverse_proxy "+addr+"\n}")
	b, log := visit(t, c), &accessLog{t: t, c: c}
	b.get("/").want(http.StatusOK)
	log.says("the header before output", "commit=saved outcome=none")
	if taken := takenOf(c); taken != `["X-Session-Update"]` {
		t.Errorf("taken: %s", taken)
	}
	b.get("/late").want(http.StatusOK)
	log.says("the header after output", "outcome=hit")
	if taken := takenOf(c); taken != "[]" {
		t.Errorf("taken: %s", taken)
	}
	fine(t, c, b, "/late", "session_outcome is hit", "PHP sends no header after its output has begun")
	eventually(t, "PHP says so", func() bool { return strings.Contains(phpLog.String(), "headers already sent") })
}

// takenOf returns the field taken of the last line at level DEBUG.
func takenOf(c *harness.Caddy) (taken string) {
	for line := range strings.Lines(c.Log()) {
		var entry struct {
			Msg   string
			Taken json.RawMessage
		}
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == "the session of a request" {
			taken = string(entry.Taken)
		}
	}
	return taken
}

// Caddy orders redir before session, also where session stands above it: then nobody takes what
// header asks for. respond comes after session. A header that Caddy applies last comes too late.
func TestCauseLogoutBesideSession(t *testing.T) {
	t.Parallel()
	const session = "session {\nstore memory\nsecret $SECRET\n}\nreverse_proxy $BACKEND\n"
	c, b, _ := caused(t, session)
	for logout, tells := range map[string]string{
		"header /out X-Session-Control destroy\nredir /out / 303":                                    "X-Session-Control has no effect, and the browser gets it: the request is answered at",
		"header /out >X-Session-Control destroy\nrespond /out bye":                                   "Caddy sets it after session has looked at the response",
		"header /out {\n-Server\nX-Session-Control destroy\n}\nrespond /out bye":                     "X-Session-Control has no effect",
		"header /out {\nX-Session-Control destroy\ndefer\n}\nrespond /out bye":                       "X-Session-Control has no effect",
		"header /out ?X-Session-Control destroy\nrespond /out bye":                                   "X-Session-Control has no effect",
		"header /out {\nmatch status 2xx\nX-Session-Control destroy\n}\nreverse_proxy /out $BACKEND": "X-Session-Control has no effect",
	} {
		reload(t, c, session+logout)
		b.change("update", `{"a":1}`)
		if got := b.get("/out").Header.Get("X-Session-Control"); got != "destroy" {
			t.Errorf("%s: the browser got %q", logout, got)
		}
		b.look().holds(`{"a":1}`)
		checks(t, c, tells)
		out, ok := explain(t, c, b.base+"/out", b.cookies())
		has(t, out, "In the configuration of srv0:", tells)
		if redir := strings.Contains(logout, "redir"); redir == ok || redir != strings.Contains(out, "but for redir, which comes after session in a handle") {
			t.Errorf("%s: fine %t: %s", logout, ok, out)
		}
	}
	for _, logout := range []string{
		"handle /out {\nheader X-Session-Control destroy\nredir * / 303\n}", "header /out X-Session-Control destroy\nrespond /out bye",
		"handle /out {\nheader >X-Session-Control destroy\nrespond bye\n}", "header /out X-Session-Control destroy",
	} {
		reload(t, c, session+logout)
		b.change("update", `{"a":1}`)
		if got := b.get("/out").Header.Get("X-Session-Control"); got != "" {
			t.Errorf("%s: the browser got %q", logout, got)
		}
		b.look().holds("{}")
		checks(t, c, "no findings")
	}
}

// checks compares what caddy session check says about the configuration of a Caddy.
func checks(t *testing.T, c *harness.Caddy, want string) {
	t.Helper()
	out, err := c.Command("session", "check", "--config", c.Config()).Output()
	if (err == nil) != (want == "no findings") || !strings.Contains(string(out), want) {
		t.Errorf("caddy session check: %v: %s", err, out)
	}
}
