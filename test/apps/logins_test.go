package apps_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/test/harness"
)

// Visitors over a line with a round trip of 120 ms: they click twice, lose responses, leave before
// a page has loaded, and log out beside a slow page. Behind Caddy, nobody may be logged in or out
// who would not be without it.
func TestLoginsOverADelayedLine(t *testing.T) {
	express, fastify, cookies, flask := loginApp(t, "express-session"), loginApp(t, "fastify"), loginApp(t, "cookie-session"), flaskLogins(t)
	clicks := []string{
		`a double click on "Log in"`, "two tabs log in at once",
		"the answer to a login is lost", "the connection is closed in the middle of the answer to a login",
	}
	sites := []struct {
		Name     string   `json:"name"`
		App      string   `json:"app"`      // host:port
		Alone    bool     `json:"alone"`    // the app is visited without Caddy too
		Rewrites bool     `json:"rewrites"` // the app sets its cookie in every response
		Replaces bool     `json:"replaces"` // Caddy sees a new value each time, so it regenerates the id
		Keeps    bool     `json:"keeps"`    // Caddy keeps the app's session, not only its cookie
		Clears   bool     `json:"clears"`   // a logout empties the session and does not end it
		Only     []string `json:"only"`     // the scenarios that the app has pages for; nil: all
		Site     string   `json:"site"`
		options  string
	}{
		{"X-Session-Control", harness.Backend(t, native("regenerate")), false, false, false, true, false, nil, "", "vault note"},
		{"regenerate_on", harness.Backend(t, native("")), false, false, false, true, false, nil, "", "regenerate_on user\nvault note"},
		{"express-session", express, true, false, false, false, false, nil, "", "vault connect.sid note"},
		{"fastify", fastify, true, true, false, false, false, nil, "", "vault sessionId note"},
		{"cookie-session", cookies, true, true, true, false, false, nil, "", "vault session session.sig note"},
		{"flask", flask, true, true, true, false, false, nil, "", "vault session note"},
		{"flask, adopted", flask, false, true, false, true, true, nil, "", "vault note\nadopt flask {\nsecret logins\n}"}, // without Caddy it is the same
		{"calibre-web", calibreWeb(t), true, false, false, false, false, clicks, "", "vault session remember_token note"},
	}
	var config strings.Builder
	for i := range sites {
		s := &sites[i]
		s.Site = "$ADDR"
		if i > 0 {
			s.Site = harness.FreeAddr(t)
		}
		fmt.Fprintf(&config, "http://%s {\nsession {\nstore memory\nregenerate_grace 1s\nregenerate_unused 12s\n%s\n}\nreverse_proxy %s\n}\n", s.Site, s.options, s.App)
	}
	sites[0].Site = harness.Start(t, config.String()).Addr

	text, err := json.Marshal(sites)
	if err != nil {
		t.Fatal(err)
	}
	harness.Walk(t, "apps/logins/walk.mjs", "SITES="+string(text), "LINES="+harness.Lines(t, 60*time.Millisecond))
}

// loginApp runs the Node.js app in test/apps/logins.
func loginApp(t *testing.T, session string) (addr string) {
	t.Helper()
	addr = harness.FreeAddr(t)
	_, port, _ := net.SplitHostPort(addr)
	cmd := exec.Command(harness.Node(t), "app.js", session)
	cmd.Env = append(os.Environ(), "PORT="+port)
	serve(t, "logins", addr, cmd)
	return addr
}

// flaskLogins runs the Flask app in test/apps/logins.
func flaskLogins(t *testing.T) (addr string) {
	t.Helper()
	addr = harness.FreeAddr(t)
	serve(t, "logins", addr, exec.Command(harness.Python(t), "-m", "gunicorn", "--bind", addr, "--threads", "32", "--keep-alive", "60", "app:app"))
	return addr
}

// calibreWeb runs calibre-web. Its administrator can log in before it has a library. The limit of 3
// logins a minute is off: it would meet the scenarios together, and answers a login with an error.
func calibreWeb(t *testing.T) (addr string) {
	t.Helper()
	cps, dir := harness.CalibreWeb(t), t.TempDir()
	addr = harness.FreeAddr(t)
	host, port, _ := net.SplitHostPort(addr)
	settings := filepath.Join(dir, "app.db")
	command := func(name string, args ...string) *exec.Cmd {
		cmd := exec.Command(name, args...)
		cmd.Env = append(os.Environ(), "HOME="+dir, "CALIBRE_DBPATH="+dir, "CALIBRE_PORT="+port)
		cmd.Dir = dir
		return cmd
	}
	const unlimited = "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); db.execute('UPDATE settings SET config_ratelimiter = 0'); db.commit()"
	for _, cmd := range []*exec.Cmd{
		command(cps, "-p", settings, "-s", "admin:Admin_123"), // makes the database and ends
		command(filepath.Join(filepath.Dir(cps), "python"), "-c", unlimited, settings),
	} {
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	harness.Serve(t, "calibre-web", addr, command(cps, "-p", settings, "-i", host))
	return addr
}

// native is the same app in Go; Caddy keeps its session. control is the X-Session-Control of a
// login.
func native(control string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		change := func(update, control string) {
			w.Header().Set("X-Session-Update", update)
			if control != "" {
				w.Header().Set("X-Session-Control", control)
			}
		}
		ms, _ := strconv.Atoi(r.URL.Query().Get("ms"))
		time.Sleep(time.Duration(ms) * time.Millisecond)
		switch r.URL.Path {
		case "/login":
			change(`{"user":"ada"}`, control)
			http.Redirect(w, r, "/", http.StatusSeeOther)
		case "/logout":
			change(`{"visits":0}`, "destroy")
			http.Redirect(w, r, "/", http.StatusSeeOther)
		case "/slow":
			change(`{"slow":"kept"}`, "")
			http.SetCookie(w, &http.Cookie{Name: "note", Value: "kept"})
			_, _ = w.Write([]byte("done"))
		case "/", "/next":
			change(`[{"op":"increment","path":"/visits","value":1}]`, "")
			session := struct{ User, Slow string }{User: "nobody"}
			if err := json.Unmarshal([]byte(r.Header.Get("X-Session-Data")), &session); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			note := ""
			if cookie, err := r.Cookie("note"); err == nil {
				note = cookie.Value
			}
			page, err := os.ReadFile(filepath.Join(folder("logins"), "page.html"))
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			w.Header().Set("Content-Type", "text/html")
			_, _ = strings.NewReplacer("{user}", session.User, "{slow}", session.Slow, "{note}", note).WriteString(w, string(page))
		default:
			http.NotFound(w, r)
		}
	}
}
