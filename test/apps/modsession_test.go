package apps_test

import (
	"cmp"
	"encoding/json"
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
	login := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		update, _ := json.Marshal(map[string]string{"user": r.FormValue("user"), "password": r.FormValue("password")})
		w.Header().Set("X-Session-Update", string(update))
		w.Header().Set("X-Session-Control", "regenerate")
	}))
	defer login.Close()
	backend := strings.TrimPrefix(app.URL, "http://")

	behindApache := "http://" + runApache(t, strings.ReplaceAll(apache, "localhost:9000", backend))
	alone := newVisitor(t, behindApache)
	if status, _ := alone.status("/"); status != http.StatusUnauthorized {
		t.Errorf("Apache, before the login: %d", status)
	}

	site := strings.NewReplacer("http://localhost:8080", "http://$ADDR {", "localhost:9001", strings.TrimPrefix(login.URL, "http://"), "localhost:9000", backend).Replace(caddyfile)
	behindCaddy := harness.Start(t, harness.Patient(site+"}\n")).URL
	for _, login := range []struct {
		user, password string
		ours           string // if it is not what Apache gives
	}{
		{"zoe", "geheim", ""},
		{"Zoe-1.B_2", "Ge-heim.1_", ""},
		{"and", "a&b", "private-user=and&private-pw=a&b"}, // the limit that the page names
	} {
		alone, ours := newVisitor(t, behindApache), newVisitor(t, behindCaddy)
		alone.form("/dologin", "httpd_username", login.user, "httpd_password", login.password)
		ours.form("/login", "user", login.user, "password", login.password)
		apaches := alone.get("/")
		if values, err := url.ParseQuery(apaches); err != nil || values.Get("private-user") != login.user || values.Get("private-pw") != login.password {
			t.Errorf("%s: Apache gives %q", login.user, apaches)
		}
		if got, want := ours.get("/"), cmp.Or(login.ours, apaches); got != want {
			t.Errorf("%s: the app gets %q, want %q; from Apache %q", login.user, got, want, apaches)
		}
	}
	forger := newVisitor(t, behindCaddy)
	if status, body, _ := forger.asks(http.MethodGet, "/", "", "X-Credentials", "private-user=zoe&private-pw=geheim"); status == http.StatusOK {
		t.Errorf("a client's own header: %d %q", status, body)
	}
}

// runApache runs Apache with a part of its configuration, and with the users of TestModSession.
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
	write(t, filepath.Join(dir, "users"), "zoe:{SHA}kGByAB793z4R5tK1eC9Hd/4Dhzk=\n"+
		"Zoe-1.B_2:{SHA}qv1AIyZWYCE7vsKUjLrBub5pcuk=\nand:{SHA}nOqOdPU0Nj44U3+5S+1NV+q7zT4=\n")
	harness.Serve(t, "apache", addr, exec.Command(apache, "-f", filepath.Join(dir, "conf"), "-D", "FOREGROUND"))
	return addr
}
