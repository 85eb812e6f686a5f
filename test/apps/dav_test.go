package apps_test

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

const davPassword = "a password of the user's"

// startDAV runs Radicale, WsgiDAV, the login page and a Caddy with the recipe. Without the gate,
// only the apps control access.
func startDAV(t *testing.T, gated bool) *harness.Caddy {
	t.Helper()
	python, dir := harness.Apps(t), t.TempDir()
	t.Setenv("HOME", dir)
	hash, err := exec.Command(python, "-c", "import sys, werkzeug.security as s; print(s.generate_password_hash(sys.argv[1], 'pbkdf2:sha256:1000'))", davPassword).Output()
	if err != nil {
		t.Fatal(err)
	}
	h := strings.TrimSpace(string(hash))
	t.Setenv("LOGIN_USERS", fmt.Sprintf(`{"ada": %q, "bob": %q, "Zoë 100%%": %q}`, h, h, h))
	if err := os.Mkdir(filepath.Join(dir, "files"), 0o700); err != nil {
		t.Fatal(err)
	}
	radicale, files, login := harness.FreeAddr(t), harness.FreeAddr(t), harness.FreeAddr(t)
	host, port, _ := strings.Cut(files, ":")
	serve(t, "dav", radicale, exec.Command(python, "-m", "radicale", "--config", "radicale.conf",
		"--hosts", radicale, "--storage-filesystem-folder", filepath.Join(dir, "calendars")))
	serve(t, "dav", files, exec.Command(python, "-m", "wsgidav.server.server_cli", "--config", "wsgidav.yaml",
		"--server", "gunicorn", "--host", host, "--port", port, "--root", filepath.Join(dir, "files")))
	serve(t, "dav", login, exec.Command(python, "-m", "gunicorn", "--bind", login, "login:app"))
	caddyfile := recipe(t, "dav", "{$SITE:dav.example.org}\n", "http://$ADDR {\n",
		"{$LOGIN:localhost:8000}", login, "{$WSGIDAV:localhost:8080}", files, "{$RADICALE:localhost:5232}", radicale+"\n}")
	if !gated {
		caddyfile = strings.Replace(caddyfile, "session_gate user /login\n", "", 1)
	}
	return harness.Start(t, caddyfile)
}

// asks sends a request and returns the status, the body and the Location; headers are alternating
// names and values.
func (v visitor) asks(method, path, body string, headers ...string) (status int, text, location string) {
	v.t.Helper()
	r, err := http.NewRequest(method, v.url+path, strings.NewReader(body))
	if err != nil {
		v.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header[headers[i]] = []string{headers[i+1]}
	}
	client := *v.client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := client.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return resp.StatusCode, string(b), resp.Header.Get("Location")
}

// gets is asks for an expected status.
func (v visitor) gets(want int, method, path, body string, headers ...string) string {
	v.t.Helper()
	status, text, _ := v.asks(method, path, body, headers...)
	if status != want {
		v.t.Errorf("%s %s: %d, want %d: %s", method, path, status, want, text)
	}
	return text
}

// logsIn logs in and returns the Location.
func (v visitor) logsIn(user, next string) string {
	v.t.Helper()
	form := url.Values{"user": {user}, "password": {davPassword}}.Encode()
	status, text, location := v.asks(http.MethodPost, "/login?next="+url.QueryEscape(next), form, "Content-Type", "application/x-www-form-urlencoded")
	if status != http.StatusSeeOther {
		v.t.Fatalf("%s cannot log in: %d %s", user, status, text)
	}
	return location
}

const (
	whoami = `<propfind xmlns="DAV:"><prop><current-user-principal/></prop></propfind>`
	event  = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//x//EN\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20260101T000000Z\r\n" +
		"DTSTART:20260101T100000Z\r\nSUMMARY:Tea with %s\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)

// known checks whom both apps take the visitor for; the requests have these headers too.
func (v visitor) known(user string, headers ...string) {
	v.t.Helper()
	text := v.gets(http.StatusMultiStatus, "PROPFIND", "/", whoami, append(headers, "Depth", "0")...)
	if path := "<href>/" + url.PathEscape(user) + "/</href>"; !strings.Contains(text, path) {
		v.t.Errorf("Radicale does not take the visitor for %s: %s", user, text)
	}
	// WsgiDAV shows the header as it is.
	shown := "Authenticated user: \"" + strings.NewReplacer("%", "%25", "ë", "%C3%AB").Replace(user) + "\""
	if text := v.gets(http.StatusOK, http.MethodGet, "/files/", "", headers...); !strings.Contains(text, shown) {
		v.t.Errorf("WsgiDAV does not show %s: %s", shown, text)
	}
}

// Two apps that trust a header, with one login for both.
func TestDAV(t *testing.T) {
	site := startDAV(t, true).URL

	t.Run("log in, be known to both, work, log out", func(t *testing.T) {
		ada := newVisitor(t, site)
		_, _, location := ada.asks(http.MethodGet, "/files/", "")
		if location != "/login?next=%2Ffiles%2F" {
			t.Fatalf("a visitor is redirected to %q", location)
		}
		ada.gets(http.StatusForbidden, http.MethodPost, "/login", "user=ada&password=x", "Content-Type", "application/x-www-form-urlencoded")
		if back := ada.logsIn("ada", "/files/"); back != "/files/" {
			t.Errorf("the login redirects to %q", back)
		}
		ada.known("ada")
		ada.gets(http.StatusCreated, "MKCALENDAR", "/ada/diary/", "")
		ada.gets(http.StatusCreated, http.MethodPut, "/ada/diary/1.ics", fmt.Sprintf(event, "Bob"), "Content-Type", "text/calendar")
		ada.gets(http.StatusCreated, http.MethodPut, "/files/note.txt", "for all")

		bob := newVisitor(t, site)
		bob.logsIn("bob", "/")
		bob.known("bob")
		bob.gets(http.StatusForbidden, http.MethodGet, "/ada/diary/1.ics", "")
		if got := bob.gets(http.StatusOK, http.MethodGet, "/files/note.txt", ""); got != "for all" {
			t.Errorf("the file holds %q", got)
		}
		if got := ada.gets(http.StatusOK, http.MethodGet, "/ada/diary/1.ics", ""); !strings.Contains(got, "SUMMARY:Tea with Bob") {
			t.Errorf("the event is %q", got)
		}
		if got := ada.cookies(); len(got) != 1 || got[0] != "caddy_session" {
			t.Errorf("the cookies are %v", got)
		}

		u, _ := url.Parse(site)
		kept := ada.client.Jar.Cookies(u)
		ada.gets(http.StatusSeeOther, http.MethodPost, "/logout", "")
		for _, old := range [][]*http.Cookie{nil, kept} {
			ada.client.Jar.SetCookies(u, old)
			ada.gets(http.StatusFound, http.MethodGet, "/ada/diary/1.ics", "")
			ada.gets(http.StatusForbidden, "PROPFIND", "/", whoami)
			ada.gets(http.StatusForbidden, http.MethodPut, "/files/note.txt", "mine")
		}
		bob.known("bob")
	})

	t.Run("a non-ASCII name", func(t *testing.T) {
		zoe := newVisitor(t, site)
		zoe.logsIn("Zoë 100%", "/")
		zoe.known("Zoë 100%")
	})

	t.Run("no redirect to another site", func(t *testing.T) {
		for _, next := range []string{"//evil.example", `/\evil.example`, "/\t/evil.example", "https://evil.example", "/a\r\nX: y", ""} {
			if back := newVisitor(t, site).logsIn("ada", next); back != "/" {
				t.Errorf("%q redirects to %q", next, back)
			}
		}
	})
}

// claims are spellings of the header that CGI and WSGI fold to the same name.
var claims = []string{"X-Remote-User", "x-remote-user", "X_Remote_User", "X-Remote_User", "X.Remote.User"}

func TestAttackUserHeaderFromTheClient(t *testing.T) {
	t.Run("behind the gate", func(t *testing.T) {
		site := startDAV(t, true).URL
		bob := newVisitor(t, site)
		bob.logsIn("bob", "/")
		for _, name := range claims {
			bob.known("bob", name, "ada")
			newVisitor(t, site).gets(http.StatusFound, http.MethodGet, "/files/", "", name, "ada")
			newVisitor(t, site).gets(http.StatusForbidden, "PROPFIND", "/ada/", whoami, name, "ada")
		}
	})
	// Without a user in the header, WsgiDAV requires its own login, and Radicale, which has none,
	// refuses.
	t.Run("without a gate", func(t *testing.T) {
		site := startDAV(t, false).URL
		for _, name := range claims {
			newVisitor(t, site).gets(http.StatusUnauthorized, http.MethodGet, "/files/", "", name, "ada")
			newVisitor(t, site).gets(http.StatusUnauthorized, http.MethodPut, "/files/x", "x", name, "ada")
			newVisitor(t, site).gets(http.StatusForbidden, "PROPFIND", "/", whoami, name, "ada", "Depth", "0")
		}
	})
}
