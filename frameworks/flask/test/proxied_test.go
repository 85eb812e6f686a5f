package flask_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/test/harness"
)

// startProxy runs a Caddy in front of all apps. Below the path of each app there is also a backend
// that does not use Flask.
func startProxy(t *testing.T, s servers, all []row, addrs map[string]string) *harness.Caddy {
	t.Helper()
	other := httptest.NewServer(http.HandlerFunc(speak))
	t.Cleanup(other.Close)
	var routes strings.Builder
	for _, r := range all {
		for path, lifetime := range map[string]int{r.String(): long, r.String() + "-short": short} {
			fmt.Fprintf(&routes, "handle /%s/* {\n %s\n handle /%s/other/* {\n reverse_proxy %s\n }\n handle {\n reverse_proxy %s\n }\n}\n",
				path, s.session(r, lifetime), path, other.Listener.Addr(), addrs[r.version])
		}
	}
	return harness.Start(t, "http://$ADDR {\n"+routes.String()+"}\n")
}

// TestProxied is the matrix: every check, with the app first and with the backend first.
func TestProxied(t *testing.T) {
	s := startServers(t)
	all := rows()
	caddy := startProxy(t, s, all, startApps(t, s, all))
	t.Run("expiry", func(t *testing.T) { checkExpiry(t, caddy.URL, all) })
	for _, r := range all {
		t.Run(r.String(), func(t *testing.T) {
			t.Parallel()
			open := func(t *testing.T, path, cookie string) (flaskSide, headerSide) {
				v := with(t, caddy.URL, cookie)
				return flaskSide{v, caddy.URL + path}, headerSide{v, caddy.URL + path + "/other"}
			}
			path := "/" + r.String()
			for _, c := range checks {
				t.Run(c.name, func(t *testing.T) {
					c.run(t, r, func(t *testing.T, cookie string) pair {
						app, other := open(t, path, cookie)
						return pair{app, other, app.visitor, caddy.URL}
					})
					c.run(t, r, func(t *testing.T, cookie string) pair {
						app, other := open(t, path, cookie)
						return pair{other, app, app.visitor, caddy.URL}
					})
				})
			}
			t.Run("values of every type", func(t *testing.T) {
				app, other := open(t, path, "")
				checkRounds(t, app, other, rounds(t))
			})
			if r.backend != cookie { // not comparable
				t.Run("parallel changes", func(t *testing.T) {
					app, other := open(t, path, "")
					checkParallel(t, app, other)
				})
			}
		})
	}
}

// checkExpiry lets two sessions of each row expire at the same time, one that each side saved last.
// Then each side asks for the other's session.
func checkExpiry(t *testing.T, base string, all []row) {
	stolen := make(map[string][2]string, len(all))
	t.Run("alive", func(t *testing.T) {
		for _, r := range all {
			t.Run(r.String(), func(t *testing.T) { stolen[r.String()] = saveBoth(t, base, r) })
		}
	})
	time.Sleep((short + 2) * time.Second)
	t.Run("expired", func(t *testing.T) {
		for _, r := range all {
			t.Run(r.String(), func(t *testing.T) { expectExpired(t, base, r, stolen[r.String()]) })
		}
	})
}

// saveBoth returns the cookies of two short sessions: one that the app saved and the backend read,
// and one the other way round.
func saveBoth(t *testing.T, base string, r row) (stolen [2]string) {
	path := base + "/" + r.String() + "-short"
	first, second := newVisitor(t), newVisitor(t)
	flaskSide{first, path}.permanent(true)
	flaskSide{first, path}.set(map[string]any{"x": 1.0})
	expect(t, headerSide{first, path + "/other"}.data(), map[string]any{"x": 1.0})
	headerSide{second, path + "/other"}.ask("X-Session-Update", `{"x":2}`, "X-Session-Control", "permanent")
	expect(t, flaskSide{second, path}.data(), map[string]any{"x": 2.0})
	return [2]string{first.cookie(base), second.cookie(base)}
}

func expectExpired(t *testing.T, base string, r row, stolen [2]string) {
	path := base + "/" + r.String() + "-short"
	for _, value := range stolen {
		if value == "" {
			t.Fatal("no cookie")
		}
		expect(t, headerSide{with(t, base, value), path + "/other"}.data(), nil)
		if !r.leavesExpiry() {
			expect(t, flaskSide{with(t, base, value), path}.data(), nil)
		}
	}
}
