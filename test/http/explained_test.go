package http_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/test/harness"
	"github.com/caddy-session/caddy-session/test/redistest"
)

// explain runs caddy session explain for a URL with cookies, and returns its output, in which no
// cookie must be.
func explain(t *testing.T, c *harness.Caddy, url, cookies string, args ...string) (out string, fine bool) {
	t.Helper()
	args = append([]string{"session", "explain", url, "--address", c.Admin}, args...)
	if cookies != "" {
		args = append(args, "--cookie-file", "-")
	}
	cmd := c.Command(args...)
	cmd.Stdin = strings.NewReader(cookies + "\n")
	text, err := cmd.CombinedOutput()
	for pair := range strings.SplitSeq(cookies, "; ") {
		if _, value, _ := strings.Cut(pair, "="); value != "" && strings.Contains(string(text), value) {
			t.Errorf("the explanation has a cookie: %s", text)
		}
	}
	return string(text), err == nil
}

// fine checks that the explanation finds nothing wrong, and has these texts.
func fine(t *testing.T, c *harness.Caddy, b *browser, path string, want ...string) {
	t.Helper()
	out, ok := explain(t, c, b.base+path, b.cookies())
	if !ok || strings.Contains(out, "\n!  ") {
		t.Errorf("%s: something is wrong:\n%s", path, out)
	}
	has(t, out, want...)
}

// wrong checks that the explanation says that something is wrong, and has these texts.
func wrong(t *testing.T, c *harness.Caddy, b *browser, path string, want ...string) {
	t.Helper()
	out, ok := explain(t, c, b.base+path, b.cookies())
	if ok || !strings.Contains("\n"+out, "\n!  ") {
		t.Errorf("%s: nothing is wrong:\n%s", path, out)
	}
	has(t, out, want...)
}

func has(t *testing.T, out string, want ...string) {
	t.Helper()
	for _, text := range want {
		if !strings.Contains(out, text) {
			t.Errorf("the explanation lacks %q:\n%s", text, out)
		}
	}
}

func TestExplainTheCookie(t *testing.T) {
	t.Parallel()
	_, port, _ := strings.Cut(harness.FreeAddr(t), ":")
	c := start(t, globals()+"http://$ADDR {\nrespond ok\n}\n"+strings.ReplaceAll(`
http://127.0.0.1:PORT {
	session {
		store memory
		secret $SECRET
	}
	reverse_proxy $BACKEND
}
http://shop.example:PORT {
	session {
		name shop
		store memory
		cookie {
			domain example.org
		}
	}
	reverse_proxy $BACKEND
}
http://secure.example:PORT {
	session {
		store memory
		cookie {
			secure on
			same_site none
		}
	}
	reverse_proxy $BACKEND
}
`, "PORT", port))
	port = ":" + port
	for _, test := range []struct {
		url, cookies string
		args         []string
		ok           bool
		want         []string
	}{
		{"http://shop.example" + port + "/", "", nil, false, []string{"the session with the name shop", "Domain=example.org", "browsers refuse it in an answer to this URL: its domain is not the host's"}},
		{"http://secure.example" + port + "/", "", nil, false, []string{"it is Secure, and the request came over plain HTTP"}},
		{"http://secure.example" + port + "/", "", []string{"-H", "X-Forwarded-Proto: https"}, true, []string{"SameSite=None"}},
		{"https://secure.example" + port + "/", "", nil, true, []string{"__Host-caddy_session", "Secure", "without TLS, so only a proxy before it can take this request by https"}},
		{"http://127.0.0.1" + port + "/", "other=not-to-be-seen; __Host-caddy_session=nor-this", nil, false, []string{"__Host-caddy_session came, and caddy_session counts here"}},
		{"http://127.0.0.1" + port + "/", "other=not-to-be-seen; more=nor-this", nil, false, []string{"caddy_session did not come; there were: other, more"}},
		{"http://127.0.0.1" + port + "/", "made-up-value", nil, false, []string{"1 with the name caddy_session", "session_outcome is forged"}},
		{"http://nobody.example" + port + "/", "", nil, false, []string{"no handler answers this request: no site of this server is for this host", "compare the URL with the addresses of the sites"}},
		{"http://127.0.0.1:1/", "", nil, false, []string{"no server of this Caddy listens on port 1"}},
		{"/path", "", nil, false, []string{"it must be complete"}},
		{"http://127.0.0.1" + port + "/", "", []string{"-H", "Cookie: a=b"}, false, []string{"give cookies by --cookie-file"}},
		{"http://127.0.0.1" + port + "/", "", []string{"--cookie-file", "missing"}, false, []string{"--cookie-file: open missing"}},
		{"http://127.0.0.1" + port + "/", "", []string{"-m", "not one"}, false, []string{"method: it is not an HTTP method"}},
	} {
		out, ok := explain(t, c, test.url, test.cookies, test.args...)
		if ok != test.ok {
			t.Errorf("%s: fine: %t", test.url, ok)
		}
		has(t, out, test.want...)
	}
}

// A cookie may be given as the value alone, and in a file. The output may be JSON.
func TestExplainAsJSON(t *testing.T) {
	t.Parallel()
	c := start(t, globals()+"http://$ADDR {\nsession {\nstore memory\nsecret $SECRET\nuser user\n}\nreverse_proxy $BACKEND\n}")
	b := visit(t, c)
	b.change("update", `{"user":"zoe"}`)
	_, value, _ := strings.Cut(b.cookies(), "=")
	file := filepath.Join(t.TempDir(), "cookie")
	if err := os.WriteFile(file, []byte(value+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, ok := explain(t, c, b.base+"/", "", "--cookie-file", file, "--json")
	var answer struct {
		URL, Server string
		Steps       []struct {
			What, Says string
			Wrong      bool
		}
		Findings []any
	}
	if err := json.Unmarshal([]byte(out), &answer); err != nil || !ok || answer.Server != "srv0" || answer.Findings == nil || strings.Contains(out, value) {
		t.Fatalf("%v: %s", err, out)
	}
	var steps []string
	for _, s := range answer.Steps {
		steps = append(steps, s.What)
	}
	if got := strings.Join(steps, " "); got != "server session cookie came key record headers outcome route app" {
		t.Errorf("the steps are %s", got)
	}
	has(t, out, `user \"zoe\"`)
}

func TestExplainARecordOfAnotherSite(t *testing.T) {
	t.Parallel()
	addr := harness.FreeAddr(t)
	_, port, _ := strings.Cut(addr, ":")
	c := start(t, globals()+"http://$ADDR {\nrespond ok\n}\nhttp://"+addr+", http://other.example:"+port+" {\nsession {\nstore memory\nsecret $SECRET\n}\nreverse_proxy $BACKEND\n}")
	b := newBrowser(t, addr, "http://"+addr)
	b.change("update", `{"a":1}`)
	for _, args := range [][]string{{"http://other.example:" + port + "/"}, {b.base + "/", "-H", "Host: other.example"}} {
		out, ok := explain(t, c, args[0], b.cookies(), args[1:]...)
		if ok {
			t.Error("nothing is wrong")
		}
		has(t, out, `its scope is "name |127.0.0.1", and that of this request "name |other.example"`, "session_outcome is scope")
	}
}

// A session that cannot be forwarded is explained, too: here it is larger than max_size and 32 KiB.
func TestExplainASessionThatCannotBeForwarded(t *testing.T) {
	t.Parallel()
	config := func(size string) string {
		return globals() + "http://$ADDR {\nsession {\nstore memory too_large\nsecret $SECRET\nmax_size " + size + "\n}\nreverse_proxy $BACKEND\n}"
	}
	c := start(t, config("100000"))
	b := visit(t, c)
	b.change("update", `{"a":"`+strings.Repeat("x", 60000)+`"}`)
	if err := c.Reload(expand(config("4000"))); err != nil {
		t.Fatal(err)
	}
	b.get("/").want(http.StatusInternalServerError)
	out, ok := explain(t, c, b.base+"/", b.cookies())
	if ok {
		t.Error("nothing is wrong")
	}
	has(t, out, "the request is refused: the session cannot be forwarded")
}

// Explaining changes nothing: a new id that was not used yet stays so, and the old one lives on.
func TestExplainingWritesNothing(t *testing.T) {
	t.Parallel()
	c := start(t, globals()+"http://$ADDR {\nsession {\nstore memory\n}\nreverse_proxy $BACKEND\n}")
	b := visit(t, c)
	fine(t, c, b, "/", "there is none yet", "memory", "it can be read")
	if _, err := os.Stat(filepath.Join(c.Dir, "data", "caddy", "session")); err == nil {
		t.Error("a key was made")
	}
	b.change("update", `{"a":1}`)
	old := b.cookies()
	b.change("control", "regenerate")
	fine(t, c, b, "/", "session_outcome is hit")
	b.holding(old).look().holds(`{"a":1}`)
	b.look().holds(`{"a":1}`)
	b.holding(old).look().holds("{}")
	if out, ok := explain(t, c, b.base+"/", old); ok || !strings.Contains(out, "replaced by one with a new id") || !strings.Contains(out, "session_outcome is expired") {
		t.Errorf("of the old id: %s", out)
	}
}

func TestExplainAStoreThatIsDown(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Options{})
	c := start(t, globals()+"http://$ADDR {\nsession {\nstore redis "+server.Addr()+"\nsecret $SECRET\n}\nreverse_proxy $BACKEND\n}")
	b := visit(t, c)
	b.change("update", `{"a":1}`)
	fine(t, c, visit(t, c), "/", "redis "+server.Addr(), "it can be read")
	server.Kill()
	wrong(t, c, b, "/", "session_outcome is unavailable", "docs/troubleshooting.md")
	wrong(t, c, visit(t, c), "/", "session_outcome is unavailable")
	visit(t, c).ask("update", `{"a":1}`).want(http.StatusServiceUnavailable)
	if out, _ := explain(t, c, b.base+"/", ""); !strings.Contains(out, "a change was refused with the status 503") || strings.Contains(out, "correct the app") {
		t.Errorf("of a change that the store did not take: %s", out)
	}
}

// What a request passes before and behind session counts, too.
func TestExplainTheRoute(t *testing.T) {
	t.Parallel()
	c := start(t, globals()+`
&(app) {
	session {
		store memory explain_route
		user user
		max_headers 3000
		max_size 9000
	}
	@zoe vars {http.session.user} zoe
	respond @zoe "hello"
	session_gate /private/* user /login
	reverse_proxy $BACKEND
}
http://$ADDR {
	redir /old /new
	rewrite /short /private/x
	handle /gone {
		respond 410
	}
	handle /abort {
		abort
	}
	handle /twice {
		session {
			store memory explain_route
		}
		handle {
			session {
				store memory explain_route
				header_prefix X-Other-
			}
			respond ok
		}
	}
	handle_path /app/* {
		session {
			name inner
			store memory explain_route
		}
		reverse_proxy $BACKEND
	}
	handle {
		invoke app
	}
}`)
	b, zoe := visit(t, c), visit(t, c)
	zoe.change("update", `{"user":"zoe"}`)
	wrong(t, c, b, "/old", "answered by static_response: 302 to /new, and not through session", "redir, which comes after session in a handle")
	fine(t, c, b, "/short", "rewrite: the path is /private/x from here on", "answered by session_gate: 302 to /login")
	fine(t, c, b, "/app/x", "the session with the name inner", "the path is /x from here on", "answered by reverse_proxy to")
	fine(t, c, zoe, "/", "session_outcome is hit", "answered by static_response: 200")
	wrong(t, c, b, "/twice", "give one of them another name", "every such request is a 500")
	wrong(t, c, b, "/abort", "which closes the connection")
	wrong(t, c, b, "/gone", "answered by static_response: 410")
	b.change("update", `{"long":"`+strings.Repeat("x", 4000)+`"}`)
	wrong(t, c, b, "/", "longer than max_headers (3000 bytes)")
	var answer struct{ Error string }
	resp, err := http.Get("http://" + c.Admin + "/session/explain")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || resp.StatusCode != http.StatusMethodNotAllowed || answer.Error == "" {
		t.Errorf("GET: %s, %v", resp.Status, err)
	}
}
