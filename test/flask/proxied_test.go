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

// startProxy runs a Caddy in front of all applications. Below the path of each there is also a backend that is no Flask.
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

// TestProxied is the matrix: each check with the application first and with the backend first.
func TestProxied(t *testing.T) {
	s := startServers(t)
	all := rows()
	caddy := startProxy(t, s, all, startApps(t, s, all))
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
			if r.backend != cookie { // it has nothing to compare with
				t.Run("parallel changes", func(t *testing.T) {
					app, other := open(t, path, "")
					checkParallel(t, app, other)
				})
			}
			t.Run("expiry", func(t *testing.T) {
				app, other := open(t, path+"-short", "")
				checkExpiry(t, r, app, other)
			})
		})
	}
}

// checkExpiry lets two sessions expire, one that each side saved last, and asks each for the other's.
func checkExpiry(t *testing.T, r row, app flaskSide, other headerSide) {
	second := newVisitor(t)
	app2, other2 := flaskSide{second, app.base}, headerSide{second, other.base}
	app.permanent(true)
	app.set(map[string]any{"x": 1.0})
	expect(t, other.data(), map[string]any{"x": 1.0})
	other2.ask("X-Session-Update", `{"x":2}`, "X-Session-Control", "permanent")
	expect(t, app2.data(), map[string]any{"x": 2.0})
	stolen := [2]string{app.cookie(app.base), app2.cookie(app.base)}
	time.Sleep((short + 2) * time.Second)
	for _, value := range stolen {
		if value == "" {
			t.Fatal("there was no cookie")
		}
		expect(t, headerSide{with(t, app.base, value), other.base}.data(), nil)
		if !r.leavesExpiry() {
			expect(t, flaskSide{with(t, app.base, value), app.base}.data(), nil)
		}
	}
}
