package apps_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/test/docs"
	"github.com/caddy-session/caddy-session/test/harness"
)

// TestModSession compares the header that an app gets from Apache's mod_session with the one that
// it gets from inject, each as docs/mod_session.md configures it.
func TestModSession(t *testing.T) {
	const page = "docs/mod_session.md"
	var apache, caddyfile string
	for _, example := range docs.Examples(t, "") {
		if example.Page.Path == page && example.Language == "apache" {
			apache = example.Text
		}
		if example.Page.Path == page && example.Language == "caddyfile" {
			caddyfile = example.Text
		}
	}
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(r.Header.Get("X-Credentials")))
	}))
	defer app.Close()
	login := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Session-Update", `{"user":"zoe","password":"geheim"}`)
		w.Header().Set("X-Session-Control", "regenerate")
	}))
	defer login.Close()
	backend := strings.TrimPrefix(app.URL, "http://")

	alone := newVisitor(t, "http://"+runApache(t, strings.ReplaceAll(apache, "localhost:9000", backend)))
	if status, _ := alone.status("/"); status != http.StatusUnauthorized {
		t.Errorf("Apache, before the login: %d", status)
	}
	alone.form("/dologin", "httpd_username", "zoe", "httpd_password", "geheim")

	site := strings.NewReplacer("http://localhost:8080", "http://$ADDR {", "localhost:9001", strings.TrimPrefix(login.URL, "http://"), "localhost:9000", backend).Replace(caddyfile)
	ours := newVisitor(t, harness.Start(t, site+"}\n").URL)
	ours.form("/login")

	want := alone.get("/")
	if values, err := url.ParseQuery(want); err != nil || values.Get("private-user") != "zoe" || values.Get("private-pw") != "geheim" {
		t.Errorf("Apache gives %q", want)
	}
	if got := ours.get("/"); got != want {
		t.Errorf("the app gets %q, from Apache %q", got, want)
	}
	forger := newVisitor(t, ours.url)
	if status, body, _ := forger.asks(http.MethodGet, "/", "", "X-Credentials", want); status == http.StatusOK {
		t.Errorf("a client's own header: %d %q", status, body)
	}
}

// runApache runs Apache with a part of its configuration, and one user: zoe, with the password
// "geheim".
func runApache(t *testing.T, part string) (addr string) {
	t.Helper()
	apache, dir := harness.Program(t, "apache2", "/usr/sbin/apache2"), t.TempDir()
	addr = harness.FreeAddr(t)
	var config strings.Builder
	for _, module := range []string{"mpm_event", "authn_core", "authn_file", "authz_core", "authz_user", "auth_form", "headers", "proxy", "proxy_http", "request", "session", "session_cookie"} {
		config.WriteString("LoadModule " + module + "_module /usr/lib/apache2/modules/mod_" + module + ".so\n")
	}
	_, port, _ := net.SplitHostPort(addr)
	config.WriteString("ServerRoot " + dir + "\nPidFile " + dir + "/pid\nErrorLog /dev/stderr\nServerName localhost\nDefaultRuntimeDir " + dir +
		"\nListen 127.0.0.1:" + port + "\n" + strings.ReplaceAll(part, "/etc/apache2/users", dir+"/users"))
	write(t, filepath.Join(dir, "conf"), config.String())
	write(t, filepath.Join(dir, "users"), "zoe:{SHA}kGByAB793z4R5tK1eC9Hd/4Dhzk=\n")
	harness.Serve(t, "apache", addr, exec.Command(apache, "-f", filepath.Join(dir, "conf"), "-D", "FOREGROUND"))
	return addr
}
