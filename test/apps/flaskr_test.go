package apps_test

import (
	"fmt"
	"html"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/test/harness"
)

// flaskr returns a copy of the published tutorial app of Flask: the app writes into its folder.
func flaskr(t *testing.T) (python, dir string) {
	t.Helper()
	python, dir = harness.Python(t), t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(harness.Source(t, "flask-3.1.3"), "examples", "tutorial"))); err != nil {
		t.Fatal(err)
	}
	return python, dir
}

func TestFlaskrOwnTests(t *testing.T) {
	python, dir := flaskr(t)
	cmd := exec.Command(python, "-m", "pytest", "-p", "no:cacheprovider")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), " passed") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestFlaskr(t *testing.T) {
	python, dir := flaskr(t)
	t.Setenv("FLASKR_SECRET_KEY", "dev") // the tutorial's own
	initialise := exec.Command(python, "-m", "flask", "--app", "flaskr", "init-db")
	initialise.Dir = dir
	if out, err := initialise.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	addr := harness.FreeAddr(t)
	app := exec.Command(python, "-m", "gunicorn", "--bind", addr, "--threads", "4", "flaskr:create_app()")
	app.Dir = dir
	harness.Serve(t, "flaskr", addr, app)

	caddy := harness.Start(t, recipe(t, "flaskr",
		"{$SITE:blog.example.org}\n", "http://$ADDR {\n",
		"{$ACCOUNT:localhost:9000}", harness.Backend(t, account),
		"{$FLASKR:localhost:8000}", addr)+"}\n")
	harness.Walk(t, "apps/flaskr/walk.mjs", "URL="+caddy.URL)
}

// account is a backend beside flaskr that does not use Flask.
func account(w http.ResponseWriter, r *http.Request) {
	switch r.Method + r.URL.Path {
	case "GET/account/":
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<p id="data">%s</p><form method="post"><button formaction="message">Leave a message</button><button formaction="logout">Log out</button></form>`,
			html.EscapeString(r.Header.Get("X-Session-Data")))
		return
	case "POST/account/message":
		w.Header().Set("X-Session-Flash", `"Your account is in order."`)
	case "POST/account/logout":
		w.Header().Set("X-Session-Control", "destroy")
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}
