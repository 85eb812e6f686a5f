package flask_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/test/harness"
	"github.com/caddy-session/caddy-session/test/redistest"
)

// example runs one of examples.py, and a Caddy with a session directive before it and before a backend at /other/.
func example(t *testing.T, name, session string, env ...string) *harness.Caddy {
	t.Helper()
	sources := filepath.Dir(harness.Source(t, "flask-3.1.3"))
	addr := harness.FreeAddr(t)
	cmd := exec.Command(harness.FlaskSession(t, "0.8.0"), "-m", "gunicorn", "--bind", addr, "examples:application")
	cmd.Dir = filepath.Join(harness.Root(), "test", "flask")
	cmd.Env = append(os.Environ(), append(env, "EXAMPLE="+name, "SOURCES="+sources, "HOME="+t.TempDir())...)
	harness.Serve(t, "gunicorn", addr, cmd)
	other := httptest.NewServer(http.HandlerFunc(speak))
	t.Cleanup(other.Close)
	return harness.Start(t, "http://$ADDR {\n "+session+"\n handle /other/* {\n reverse_proxy "+other.Listener.Addr().String()+
		"\n }\n handle {\n reverse_proxy "+addr+"\n }\n}\n")
}

func TestExampleOfFlask(t *testing.T) {
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte("_5#y2L\"F4Q8z\n\xec]/"), 0o600); err != nil { // the example's
		t.Fatal(err)
	}
	c := example(t, "flask", "session {\n dialect flask {\n secret {file."+key+"}\n }\n }")
	v := newVisitor(t)
	other := headerSide{v, c.URL + "/other"}
	resp, err := v.client.PostForm(c.URL+"/login", url.Values{"username": {name}})
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	expect(t, other.data(), map[string]any{"username": name})
	if got := v.ok(http.MethodGet, c.URL+"/", nil); got != "Logged in as "+name {
		t.Errorf("the app says %s", got)
	}
	other.set(map[string]any{"username": "Ada"})
	if got := v.ok(http.MethodGet, c.URL+"/", nil); got != "Logged in as Ada" {
		t.Errorf("the app says %s", got)
	}
	v.do(http.MethodGet, c.URL+"/logout", nil)
	if got := v.ok(http.MethodGet, c.URL+"/", nil); got != "You are not logged in" {
		t.Errorf("the app says %s", got)
	}
	expect(t, other.data(), nil)
}

func TestExampleOfFlaskSession(t *testing.T) {
	addr := redistest.Start(t, redistest.Options{}).Addr()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	c := example(t, "flask-session", "session {\n store redis "+addr+"\n dialect flask_session\n }", "REDIS_PORT="+port)
	v := newVisitor(t)
	other := headerSide{v, c.URL + "/other"}
	if got := v.ok(http.MethodGet, c.URL+"/get/", nil); got != "not set" {
		t.Errorf("the app says %s", got)
	}
	v.ok(http.MethodGet, c.URL+"/set/", nil)
	expect(t, other.data(), map[string]any{"key": "value"})
	other.set(map[string]any{"key": strings.Repeat("é", 9)})
	if got := v.ok(http.MethodGet, c.URL+"/get/", nil); got != strings.Repeat("é", 9) {
		t.Errorf("the app says %s", got)
	}
	other.logout()
	if got := v.ok(http.MethodGet, c.URL+"/get/", nil); got != "not set" {
		t.Errorf("after a logout the app says %s", got)
	}
}
