package flask_test

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/test/harness"
	"github.com/caddy-session/caddy-session/test/redistest"
)

// example returns the code below a heading of a documentation, from its import of Flask on.
func example(t *testing.T, source, file, heading string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(harness.Source(t, source), file))
	if err != nil {
		t.Fatal(err)
	}
	const start = "\n    from flask import "
	_, below, _ := strings.Cut(string(text), "\n"+heading+"\n--------")
	_, below, found := strings.Cut(below, start)
	if !found {
		t.Fatalf("%s: no example below %s", file, heading)
	}
	var code strings.Builder
	for line := range strings.Lines(start[1:] + below) {
		indented, isCode := strings.CutPrefix(line, "    ")
		if !isCode && strings.TrimSpace(line) != "" {
			break
		}
		code.WriteString(indented)
	}
	return code.String()
}

// startExample runs an app at / and another backend at /other, behind these options of the session.
// It returns the site and the app without the proxy.
func startExample(t *testing.T, python, code, options string, env ...string) (site, alone string) {
	t.Helper()
	dir, addr := t.TempDir(), harness.FreeAddr(t)
	if err := os.WriteFile(filepath.Join(dir, "example.py"), []byte(code), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, "-m", "gunicorn", "--bind", addr, "example:app")
	cmd.Dir = dir
	cmd.Env = append(append(os.Environ(), "HOME="+dir), env...)
	harness.Serve(t, "gunicorn", addr, cmd)
	caddy := harness.Start(t, fmt.Sprintf("http://$ADDR {\n session {\n %s\n store_timeout 10s\n }\n handle /other/* {\n reverse_proxy %s\n }\n handle {\n reverse_proxy %s\n }\n}\n",
		options, harness.Backend(t, speak), addr))
	return caddy.URL, "http://" + addr
}

// The example of Flask's quickstart, which leaves out its first lines. Its key is of bytes.
func TestExampleOfFlask(t *testing.T) {
	code := "from flask import Flask, redirect, request, url_for\n\napp = Flask(__name__)\n" +
		example(t, "flask-3.1.3", "docs/quickstart.rst", "Sessions")
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte("_5#y2L\"F4Q8z\n\xec]/"), 0o600); err != nil {
		t.Fatal(err)
	}
	site, alone := startExample(t, harness.Python(t), code, "dialect flask {\n secret {file."+key+"}\n }")

	v := newVisitor(t)
	app, other := flaskSide{v, site}, headerSide{v, site + "/other"}
	is := func(want string) {
		t.Helper()
		if got := app.get("/"); got != want {
			t.Errorf("the app says %q, want %q", got, want)
		}
	}
	logIn := func(name string) {
		t.Helper()
		resp, err := v.client.PostForm(site+"/login", url.Values{"username": {name}})
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusFound {
			t.Fatalf("the login returned %s", resp.Status)
		}
	}
	is("You are not logged in")
	logIn("Žofie")
	is("Logged in as Žofie")
	expect(t, other.data(), map[string]any{"username": "Žofie"})
	other.set(map[string]any{"username": "Ada", "theme": "dark"})
	is("Logged in as Ada")
	if got := (flaskSide{with(t, alone, v.cookie(site)), alone}).get("/"); got != "Logged in as Ada" {
		t.Errorf("without the proxy, the app says %q", got)
	}
	if status, _ := v.do(http.MethodGet, site+"/logout", nil); status != http.StatusFound {
		t.Errorf("the logout returned %d", status)
	}
	is("You are not logged in")
	expect(t, other.data(), map[string]any{"theme": "dark"})
	other.login("Grace")
	other.set(map[string]any{"username": "Grace"})
	is("Logged in as Grace")
	other.logout()
	is("You are not logged in")
}

// The example of Flask-Session's README. It connects to Redis at the default port, which the app's
// process redirects to the test's Redis.
func TestExampleOfFlaskSession(t *testing.T) {
	python := harness.FlaskSession(t, "0.8.0")
	code := example(t, "flask_session-0.8.0", "README.rst", "A Simple Example")
	redis := redistest.Start(t, redistest.Options{}).Addr()
	host, port, _ := net.SplitHostPort(redis)
	dir := t.TempDir()
	leading := fmt.Sprintf(`import socket

find = socket.getaddrinfo
socket.getaddrinfo = lambda host, port, *args, **named: find(*((%q, %s) if port == 6379 else (host, port)), *args, **named)
`, host, port)
	if err := os.WriteFile(filepath.Join(dir, "sitecustomize.py"), []byte(leading), 0o600); err != nil {
		t.Fatal(err)
	}
	checkKey(t, python, code, "store redis "+redis+"\n dialect flask_session", "PYTHONPATH="+dir)
}

// The example of Flask-Session's usage with CacheLib. As printed it fails at the first session,
// because a comma makes the cache a tuple, and it needs a folder in the root directory. It has the
// pages of the previous example.
func TestExampleOfCacheLib(t *testing.T) {
	python := harness.FlaskSession(t, "0.8.0")
	const usage = "docs/usage.rst"
	code := example(t, "flask_session-0.8.0", usage, "Using CacheLib as a session backend")
	folder := filepath.Join(t.TempDir(), "sessions")
	corrected := strings.Replace(code, `cache_dir="/sessions"),`, fmt.Sprintf("cache_dir=%q)", folder), 1)
	if corrected == code {
		t.Fatalf("the example has changed:\n%s", code)
	}
	_, pages, _ := strings.Cut(example(t, "flask_session-0.8.0", usage, "Quickstart"), "Session(app)")
	checkKey(t, python, corrected+pages, "store file "+folder+"\n dialect flask_session")
}

// checkKey runs an app with pages that set and show one key of the session.
func checkKey(t *testing.T, python, code, options string, env ...string) {
	t.Helper()
	site, alone := startExample(t, python, code, options, env...)
	v := newVisitor(t)
	app, other := flaskSide{v, site}, headerSide{v, site + "/other"}
	is := func(want string) {
		t.Helper()
		if got := app.get("/get/"); got != want {
			t.Errorf("the app says %q, want %q", got, want)
		}
	}
	is("not set")
	app.get("/set/")
	is("value")
	expect(t, other.data(), map[string]any{"key": "value"})
	other.set(map[string]any{"key": "another"})
	is("another")
	if got := (flaskSide{with(t, alone, v.cookie(site)), alone}).get("/get/"); got != "another" {
		t.Errorf("without the proxy, the app says %q", got)
	}
	other.pop("key")
	is("not set")
	app.get("/set/")
	expect(t, other.data(), map[string]any{"key": "value"})
	other.logout()
	is("not set")

	v = newVisitor(t)
	app, other = flaskSide{v, site}, headerSide{v, site + "/other"}
	other.set(map[string]any{"key": "first"})
	is("first")
}
