package apps_test

import (
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/test/harness"
	"github.com/caddy-session/caddy-session/test/sqltest"
)

// documented returns the session block of the first example in docs/frameworks/php.md, with further
// options.
func documented(t *testing.T, options string) string {
	t.Helper()
	page := read(t, filepath.Join(harness.Root(), "docs", "frameworks", "php.md"))
	block := regexp.MustCompile(`(?ms)^\tsession \{\n(.*?)^\t\}`).FindSubmatch(page)
	if block == nil {
		t.Fatal("the page has no session block")
	}
	return "session {\nstore_timeout 30s\n" + string(block[1]) + options + "\n}" // a busy machine may stand still
}

// Unmodified apps in a browser are the same with PHP's own sessions and with those that the proxy
// keeps, as the documentation sets both up.
func TestPrependedApps(t *testing.T) {
	t.Parallel()
	db := sqltest.StartMariaDB(t)
	python := harness.FreeAddr(t)
	serve(t, "flask", python, exec.Command(harness.Python(t), "-m", "gunicorn", "--bind", python, "app:app"))
	data := harness.Backend(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Header.Get("X-Session-Data"))
	})
	const late = `late "a key of this site"`

	for _, app := range []struct {
		name    string
		install func(*testing.T, *sqltest.Server) phpApp
		options string // of the session
	}{
		{"DokuWiki", func(t *testing.T, _ *sqltest.Server) phpApp { return installDokuWiki(t) }, "vault DW*"},
		{"Adminer", func(t *testing.T, _ *sqltest.Server) phpApp { return installAdminer(t) }, late},
		{"phpMyAdmin", installPHPMyAdmin, late},
		{"Roundcube", func(t *testing.T, _ *sqltest.Server) phpApp { return installRoundcube(t, "php") }, ""},
		{"Roundcube, sessions in its database", func(t *testing.T, _ *sqltest.Server) phpApp { return installRoundcube(t, "db") }, "vault roundcube_*"},
		{"MediaWiki", func(t *testing.T, _ *sqltest.Server) phpApp { return installMediaWiki(t) }, "vault my_wiki_session my_wikiUserID my_wikiUserName my_wikiToken"},
		{"Symfony", func(t *testing.T, _ *sqltest.Server) phpApp { return installSymfony(t) }, "vault PHPSESSID"},
	} {
		t.Run(app.name, func(t *testing.T) {
			does, _, _ := strings.Cut(app.name, ",")
			installed := app.install(t, db)
			handler, _ := installed.start(t)
			alone := harness.Start(t, "http://$ADDR {\n"+handler+"\n}")
			handler, log := installed.start(t,
				"php_value[auto_prepend_file] = "+filepath.Join(harness.Root(), "clients", "php", "session.php"), `env[CADDY_SESSION_KEY] = "a key of this site"`)
			behind := harness.Start(t, "http://$ADDR {\n"+documented(t, app.options)+"\nhandle_path /python/* {\nreverse_proxy "+python+"\n}\nhandle /data {\nreverse_proxy "+
				data+"\n}\nhandle {\n"+handler+"\n}\n}")
			control := harness.Backend(t, func(_ http.ResponseWriter, r *http.Request) {
				caddy := map[string]*harness.Caddy{"/alone": alone, "/behind": behind}[r.URL.Path]
				caddy.Kill()
				caddy.Run()
			})
			harness.Walk(t, "apps/prepended/run.mjs", "APP="+does, "ALONE="+alone.URL, "BEHIND="+behind.URL, "KILL=http://"+control,
				"SERVER="+db.Addr(), "DATABASE="+sqltest.Database, "USER="+sqltest.User, "PASSWORD="+sqltest.Password)
			text, _ := os.ReadFile(log) // which is there if something was logged
			for line := range strings.Lines(string(text)) {
				if strings.Contains(line, "caddy-session:") {
					t.Errorf("the log says: %s", line)
				}
			}
		})
	}
}
