package http_test

import (
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/test/harness"
)

// varnish runs Varnish with its default rules in front of a backend until the test ends.
func varnish(t *testing.T, backend string, options ...string) string {
	t.Helper()
	addr := harness.FreeAddr(t)
	harness.Serve(t, "varnishd", addr, exec.Command(harness.Program(t, "varnishd", "/usr/sbin/varnishd"), append([]string{
		"-F", "-j", "none", "-T", "none", "-n", t.TempDir(), "-s", "malloc,8m", "-a", addr, "-b", backend}, options...)...))
	return addr
}

// loginApp is an app with cacheable pages. It counts the requests for each path.
type loginApp struct{ hits sync.Map }

func (a *loginApp) count(path string) int64 {
	n, _ := a.hits.LoadOrStore(path, new(atomic.Int64))
	return n.(*atomic.Int64).Load()
}

func (a *loginApp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n, _ := a.hits.LoadOrStore(r.URL.Path, new(atomic.Int64))
	n.(*atomic.Int64).Add(1)
	h := w.Header()
	h.Set("Cache-Control", "max-age=60")
	switch {
	case strings.Contains(r.URL.Path, "/login"):
		h.Set("X-Session-Update", fmt.Sprintf(`{"user":%q}`, r.URL.Query().Get("as")))
		h.Set("X-Session-Control", "regenerate")
		h.Set("X-User", "victim")
	case strings.HasPrefix(r.URL.Path, "/vary"):
		h.Set("Vary", "X-Session-Data")
	}
	if strings.Contains(r.URL.Path, "/slow") {
		time.Sleep(300 * time.Millisecond)
	}
	_, _ = io.WriteString(w, "the page of "+r.Header.Get("X-Session-Data"))
}

// Attack: a cache between Caddy and the app gives a stranger the response to somebody's login. The
// cache is Varnish with its defaults.
func TestAttackReplayedByVarnish(t *testing.T) {
	t.Parallel()
	app := new(loginApp)
	cache := varnish(t, harness.Backend(t, app.ServeHTTP))

	// Without Caddy, Varnish repeats the whole response. Even a new response has an Age.
	alone := newBrowser(t, cache, "http://x")
	for i := range 3 {
		r := alone.get("/alone/login?as=ada").want(http.StatusOK)
		if r.Header.Get("X-Session-Update") != `{"user":"ada"}` || app.count("/alone/login") != 1 {
			t.Fatalf("request %d: %v; the app got %d requests", i, r.Header, app.count("/alone/login"))
		}
		t.Logf("Age: %s, X-Varnish: %s", r.Header.Get("Age"), r.Header.Get("X-Varnish"))
	}

	const options = "store memory\n secret $SECRET\n capture X-User name\n"
	c := start(t, globals()+`
http://$ADDR {
	handle /mark/* {
		session {
			`+options+`
			cookie {
				pass_through mark
			}
		}
		reverse_proxy `+cache+`
	}
	handle {
		session {
			`+options+`
		}
		reverse_proxy `+cache+`
	}
}`)
	const warning = "session headers in a response from a cache are ignored"
	ada := visit(t, c)
	ada.get("/login?as=ada").want(http.StatusOK).hides().issues()
	if strings.Contains(c.Log(), warning) {
		t.Error("the first response is treated as cached")
	}
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodGet} {
		stranger := visit(t, c)
		stranger.send(stranger.request(method, "/login?as=ada", nil)).want(http.StatusOK).hides().keeps()
		if got := string(stranger.send(stranger.request(http.MethodPost, "/who", nil)).body); got != "the page of {}" {
			t.Errorf("%s: a stranger gets %s", method, got)
		}
	}
	if got := app.count("/login"); got != 1 {
		t.Errorf("the app got %d requests: the test is void", got)
	}
	if !c.WaitLog(warning) {
		t.Error("the log lacks the warning")
	}

	// Of many requests that wait for one response, one has caused it.
	var issued atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		b := visit(t, c)
		all.Go(func() {
			if r := b.attempt(b.request(http.MethodGet, "/slow/login?as=bob", nil)); r != nil && r.cookie() != nil {
				issued.Add(1)
			}
		})
	}
	all.Wait()
	if app.count("/slow/login") != 1 || issued.Load() != 1 {
		t.Errorf("the app got %d requests, and %d visitors are logged in", app.count("/slow/login"), issued.Load())
	}

	// Responses to unsafe methods always count, and so do those that Varnish passes.
	eve := visit(t, c)
	eve.send(eve.request(http.MethodPost, "/login?as=eve", nil)).want(http.StatusOK).issues()
	page := func(b *browser, path string) string { return string(b.get(path).want(http.StatusOK).body) }

	// A cache without instructions has one page for all users; the app must prevent that.
	if page(ada, "/page") != page(eve, "/page") || app.count("/page") != 1 {
		t.Error("Varnish separates users by itself")
	}
	for _, tt := range []struct {
		path string
		hits int64 // after two requests of each user
	}{
		{"/mark/page", 4 + 1}, // requests with a session go to the app, all others share a page
		{"/vary/page", 2 + 1},
	} {
		for range 2 {
			for user, b := range map[string]*browser{"ada": ada, "eve": eve, "": visit(t, c)} {
				got := page(b, tt.path)
				if user != "" && !strings.Contains(got, `"user":"`+user+`"`) || user == "" && got != "the page of {}" {
					t.Errorf("%s: %q gets %s", tt.path, user, got)
				}
			}
		}
		if got := app.count(tt.path); got != tt.hits {
			t.Errorf("%s: the app got %d requests", tt.path, got)
		}
	}
	ada.get("/mark/login?as=ada2").want(http.StatusOK).issues()
	if got := page(ada, "/mark/page"); !strings.Contains(got, `"user":"ada2"`) {
		t.Errorf("with a mark, a login with GET shows %s", got)
	}
}
