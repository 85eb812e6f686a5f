// Package php_test runs PHP scripts with PHP's own folder of sessions, alone and behind the proxy,
// where a backend that uses headers changes the same sessions.
package php_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/test/harness"
)

// php is a running PHP with a folder of sessions.
type php struct{ addr, dir, log string }

// serve runs PHP with these settings.
func serve(t *testing.T, settings ...string) php {
	t.Helper()
	dir := t.TempDir()
	p := php{harness.FreeAddr(t), dir, filepath.Join(t.TempDir(), "php.log")}
	args := []string{"-b", p.addr, "-d", "session.save_path=" + dir, "-d", "error_log=" + p.log, "-d", "log_errors=1", "-d", "display_errors=0",
		"-d", "output_buffering=4096", "-d", "session.use_strict_mode=1", "-d", "session.gc_maxlifetime=1440"}
	for _, setting := range settings {
		args = append(args, "-d", strings.ReplaceAll(setting, "$DIR", dir))
	}
	cmd := exec.Command(harness.Program(t, "php-cgi"), args...)
	cmd.Env = append(os.Environ(), "PHP_FCGI_CHILDREN=6", "PHP_FCGI_MAX_REQUESTS=0", "DIR="+dir)
	harness.Serve(t, "php-cgi", p.addr, cmd)
	return p
}

// files returns the names of the files of sessions.
func (p php) files(t *testing.T) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(p.dir, "sess_*"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// site runs a Caddy in front of PHP, and of the other backend at /other.
func (p php) site(t *testing.T, session string) *harness.Caddy {
	t.Helper()
	return harness.Start(t, fmt.Sprintf("http://$ADDR {\n%s\nhandle /other {\nreverse_proxy %s\n}\nhandle {\nroot %s\nrewrite * /app.php?{query}\nphp_fastcgi %s\n}\n}",
		session, harness.Backend(t, harness.Echo), filepath.Join(harness.Root(), "test", "php"), p.addr))
}

// shared is the configuration of a session that is shared with PHP.
func (p php) shared(store, dialect string) string {
	return fmt.Sprintf("session {\nmax_size 60000\nstore_timeout 10s\nstore file %s {\n%s\n}\ndialect php {\n%s\n}\n}", p.dir, store, dialect)
}

// visitor is a browser.
type visitor struct {
	t      *testing.T
	client *http.Client
	base   string
}

func visit(t *testing.T, c *harness.Caddy) visitor { return visitor{t, harness.Client(t), c.URL} }

func (v visitor) get(path string) (status int, body string) {
	v.t.Helper()
	resp, err := v.client.Get(v.base + path)
	if err != nil {
		v.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// does asks PHP for a page: what it does, and more parameters.
func (v visitor) does(what string) (status int, body string) {
	v.t.Helper()
	what, parameters, _ := strings.Cut(what, "&")
	return v.get("/?do=" + url.QueryEscape(what) + "&" + parameters)
}

// asks lets the other backend answer with these headers, and returns the session's data that it was
// given.
func (v visitor) asks(want int, headers ...string) (data string) {
	v.t.Helper()
	query := make(url.Values)
	for i := 0; i < len(headers); i += 2 {
		query.Add(headers[i], headers[i+1])
	}
	status, body := v.get("/other?" + query.Encode())
	if status != want {
		v.t.Errorf("%q: %d, want %d, %.300s", headers, status, want, body)
	}
	_, data, _ = strings.Cut(body, "X-Session-Data: ")
	data, _, _ = strings.Cut(data, "\n")
	return data
}

// updates lets the other backend change the session.
func (v visitor) updates(update string) {
	v.t.Helper()
	v.asks(http.StatusOK, "X-Session-Update", update)
}

// id is the value of PHP's session cookie.
func (v visitor) id() string {
	at, _ := url.Parse(v.base)
	for _, c := range v.client.Jar.Cookies(at) {
		if c.Name == "PHPSESSID" {
			return c.Value
		}
	}
	return ""
}

// with is a browser that has this cookie.
func with(t *testing.T, c *harness.Caddy, id string) visitor {
	v := visit(t, c)
	at, _ := url.Parse(v.base)
	v.client.Jar.SetCookies(at, []*http.Cookie{{Name: "PHPSESSID", Value: id}})
	return v
}
