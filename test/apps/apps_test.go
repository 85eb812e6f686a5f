// Package apps_test runs three apps in different languages behind one Caddy with one session
// directive. None of them has a session library.
package apps_test

import (
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/caddy-session/caddy-session/test/harness"
)

// apps are the paths of the apps, and the names in their messages.
var apps = []struct{ path, name string }{{"/php/", "PHP"}, {"/flask/", "Flask"}, {"/express/", "Express"}}

// start runs the apps and a Caddy in front of them, and returns its URL.
func start(t *testing.T) string {
	t.Helper()
	php, python, node := harness.Program(t, "php-cgi"), harness.Python(t), harness.Node(t)
	phpAddr, flaskAddr, expressAddr := harness.FreeAddr(t), harness.FreeAddr(t), harness.FreeAddr(t)
	_, expressPort, _ := net.SplitHostPort(expressAddr)

	serve(t, "php", phpAddr, exec.Command(php, "-b", phpAddr))
	serve(t, "flask", flaskAddr, exec.Command(python, "-m", "gunicorn", "--bind", flaskAddr, "--threads", "8", "app:app"))
	express := exec.Command(node, "app.js")
	express.Env = append(os.Environ(), "PORT="+expressPort)
	serve(t, "express", expressAddr, express)

	return harness.Start(t, `
		http://$ADDR {
			session {
				store_timeout 30s
			}
			handle_path /php/* {
				root `+folder("php")+`
				php_fastcgi `+phpAddr+`
			}
			handle_path /flask/* {
				reverse_proxy `+flaskAddr+`
			}
			handle_path /express/* {
				reverse_proxy `+expressAddr+`
			}
		}`).URL
}

func folder(app string) string { return filepath.Join(harness.Root(), "test", "apps", app) }

// serve runs an app in its folder until the test ends.
func serve(t *testing.T, app, addr string, cmd *exec.Cmd) {
	t.Helper()
	cmd.Dir = folder(app)
	harness.Serve(t, app, addr, cmd)
}

// browser is a visitor with a cookie jar.
type browser struct {
	*testing.T
	*http.Client
	url string
}

func newBrowser(t *testing.T, url string) browser {
	return browser{t, harness.Client(t), url}
}

// page is the parsed page of an app.
type page struct {
	greeted  string
	visits   int
	messages []string
}

var (
	greeting = regexp.MustCompile(`<h1>Hello, (.*)\.</h1>`)
	visits   = regexp.MustCompile(`<div>(\d+) visits</div>`)
	message  = regexp.MustCompile(`<p class="[a-z]+">(.*)</p>`)
)

func (b browser) do(r *http.Request) (*http.Response, string) {
	b.Helper()
	resp, err := b.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.Fatal(err)
	}
	for name := range resp.Header {
		if strings.HasPrefix(name, "X-Session") {
			b.Errorf("%s of %s reached the client", name, r.URL.Path)
		}
	}
	return resp, string(body)
}

// visit opens the page of an app; header are alternating names and values.
func (b browser) visit(path string, header ...string) page {
	b.Helper()
	r, err := http.NewRequest(http.MethodGet, b.url+path, nil)
	if err != nil {
		b.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header[header[i]] = []string{header[i+1]}
	}
	resp, body := b.do(r)
	hello, count := greeting.FindStringSubmatch(body), visits.FindStringSubmatch(body)
	if resp.StatusCode != http.StatusOK || hello == nil || count == nil {
		b.Fatalf("%s: %s\n%s", path, resp.Status, body)
	}
	p := page{greeted: html.UnescapeString(hello[1])}
	p.visits, _ = strconv.Atoi(count[1])
	for _, m := range message.FindAllStringSubmatch(body, -1) {
		p.messages = append(p.messages, html.UnescapeString(m[1]))
	}
	return p
}

// post submits a form with one field.
func (b browser) post(path, field, value string) *http.Response {
	b.Helper()
	form := strings.NewReader(url.Values{field: {value}}.Encode())
	r, err := http.NewRequest(http.MethodPost, b.url+path, form)
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, body := b.do(r)
	if resp.StatusCode != http.StatusSeeOther {
		b.Fatalf("POST %s: %s\n%s", path, resp.Status, body)
	}
	return resp
}

func (b browser) cookie() string {
	b.Helper()
	u, err := url.Parse(b.url)
	if err != nil {
		b.Fatal(err)
	}
	cookies := b.Jar.Cookies(u)
	if len(cookies) != 1 || cookies[0].Name != "caddy_session" {
		b.Fatalf("got the cookies %v, want caddy_session only", cookies)
	}
	return cookies[0].Value
}

func (b browser) expect(path, greeted string, messages ...string) {
	b.Helper()
	p := b.visit(path)
	if p.greeted != greeted {
		b.Errorf("%s greets %q, want %q", path, p.greeted, greeted)
	}
	if strings.Join(p.messages, "\n") != strings.Join(messages, "\n") {
		b.Errorf("%s shows %q, want %q", path, p.messages, messages)
	}
}

func TestApps(t *testing.T) {
	url := start(t)
	const name = `Žofie <b> "O'Hara" & 🙂`

	for i, first := range apps {
		second, third := apps[(i+1)%len(apps)], apps[(i+2)%len(apps)]

		t.Run("log in with "+first.name, func(t *testing.T) {
			b := newBrowser(t, url)
			b.expect(second.path, "stranger")
			before := b.cookie()
			b.post(first.path, "name", name)
			if b.cookie() == before {
				t.Error("the login did not change the session id")
			}
			b.expect(second.path, name, first.name+" welcomes "+name+".")
			b.expect(third.path, name)
			b.expect(first.path, name)
		})

		t.Run("leave a message with "+first.name, func(t *testing.T) {
			b := newBrowser(t, url)
			b.post(first.path, "message", "one "+name)
			b.post(second.path, "message", "two")
			b.expect(third.path, "stranger", "one "+name, "two")
			b.expect(first.path, "stranger")
		})

		t.Run("log out with "+first.name, func(t *testing.T) {
			b, thief := newBrowser(t, url), newBrowser(t, url)
			b.post(second.path, "name", name)
			stolen := b.cookie()
			b.post(first.path, "logout", "")
			b.expect(third.path, "stranger", first.name+" says goodbye.")
			for _, app := range apps {
				b.expect(app.path, "stranger")
				if p := thief.visit(app.path, "Cookie", "caddy_session="+stolen); p.greeted != "stranger" {
					t.Errorf("%s greets %q with a cookie from before the logout", app.name, p.greeted)
				}
			}
		})
	}

	t.Run("one counter for all, with parallel visits", func(t *testing.T) {
		b := newBrowser(t, url)
		b.visit(apps[0].path)
		const each = 10
		var all sync.WaitGroup
		for _, app := range apps {
			for range each {
				all.Go(func() {
					resp, err := b.Get(url + app.path)
					if err != nil {
						t.Error(err)
						return
					}
					defer resp.Body.Close()
					if resp.StatusCode != http.StatusOK {
						t.Errorf("%s: %s", app.name, resp.Status)
					}
				})
			}
		}
		all.Wait()
		if got, want := b.visit(apps[1].path).visits, 1+each*len(apps)+1; got != want {
			t.Errorf("got %d visits, want %d", got, want)
		}
	})

	// CGI and WSGI make HTTP_X_SESSION_DATA from each of these.
	for _, header := range []string{"X-Session-Data", "X_Session_Data", "x-session_data", "X.Session.Data"} {
		for _, app := range apps {
			t.Run(fmt.Sprintf("forging %s for %s", header, app.name), func(t *testing.T) {
				b := newBrowser(t, url)
				b.post(app.path, "name", "Ada")
				if p := b.visit(app.path, header, `{"user":"root"}`); p.greeted != "Ada" {
					t.Errorf("greets %q, want Ada", p.greeted)
				}
				if p := newBrowser(t, url).visit(app.path, header, `{"user":"root"}`); p.greeted != "stranger" {
					t.Errorf("greets %q, want stranger", p.greeted)
				}
			})
		}
	}
}
