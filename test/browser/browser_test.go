// Package browser_test walks through the example site in a real browser.
package browser_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/test/harness"
)

func example(tb testing.TB) (path, text string) {
	tb.Helper()
	path = filepath.Join(harness.Root(), "Caddyfile.example")
	b, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	return path, string(b)
}

func TestExampleIsValidAndFormatted(t *testing.T) {
	path, _ := example(t)
	for _, args := range [][]string{
		{"validate", "--config", path, "--adapter", "caddyfile"},
		{"fmt", "--diff", path},
	} {
		cmd := exec.Command(harness.Binary(t), args...)
		cmd.Env = append(os.Environ(), "XDG_DATA_HOME="+t.TempDir(), "XDG_CONFIG_HOME="+t.TempDir())
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("caddy %s: %v\n%s", args[0], err, out)
		}
	}
}

// languages starts the apps in PHP and Python as xcaddy.sh does, and returns their addresses.
func languages(t *testing.T) (php, python string) {
	t.Helper()
	script, err := os.ReadFile(filepath.Join(harness.Root(), "xcaddy.sh"))
	if err != nil {
		t.Fatal(err)
	}
	php, python = harness.FreeAddr(t), harness.FreeAddr(t)
	for _, app := range [][]string{
		{php, "127.0.0.1:8097", php, "php -S 127.0.0.1:8097 examples/languages/index.php"},
		{python, "8096", python[strings.LastIndexByte(python, ':')+1:], "python3 examples/languages/app.py 8096"},
	} {
		addr, old, ours, command := app[0], app[1], app[2], app[3]
		if !strings.Contains(string(script), "\t"+command+" >") {
			t.Fatalf("xcaddy.sh does not run %s", command)
		}
		args := strings.Fields(strings.Replace(command, old, ours, 1))
		cmd := exec.Command(harness.Program(t, args[0]), args[1:]...)
		cmd.Dir = harness.Root()
		harness.Serve(t, args[0], addr, cmd)
	}
	return php, python
}

// startExample runs the example on free ports.
func startExample(t *testing.T) *harness.Caddy {
	t.Helper()
	_, text := example(t)
	_, text, _ = strings.Cut(text, "\n{\n") // harness adds its own global options
	backend, shows := harness.FreeAddr(t), harness.FreeAddr(t)
	port := backend[strings.LastIndexByte(backend, ':'):]
	php, python := languages(t)
	for _, r := range [][2]string{
		{"http://localhost:8080, http://127.0.0.1:8080 {", "http://$ADDR {"},
		{"reverse_proxy localhost:8098\n", "reverse_proxy " + backend + "\n"},
		{"http://:8098 {", "http://" + port + " {"},
		{"localhost:8097", php},
		{"localhost:8096", python},
		{"http://localhost:8095, http://127.0.0.1:8095 {", "http://" + shows + " {"},
		{"{{.Host | html}}:8095", shows},
		{"127.0.0.1:8080 {\n", "$ADDR {\n"},
		{"{http.request.host}:8080", "$ADDR"},
		{"{{.Host | html}}:8080", "$ADDR"},
	} {
		if strings.Count(text, r[0]) != 1 {
			t.Fatalf("Caddyfile.example must have %q once", r[0])
		}
		text = strings.Replace(text, r[0], r[1], 1)
	}
	return harness.Start(t, "{\n"+harness.Patient(text))
}

func TestExampleKeepsSessionsAfterKill(t *testing.T) {
	caddy, browser := startExample(t), harness.Client(t)
	visit := func(count string) {
		t.Helper()
		resp, err := browser.Get(caddy.URL)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		page, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(page), `<b id="visits">`+count+`</b>`) {
			t.Fatalf("the page lacks %s visits: %s\n%s", count, resp.Status, page)
		}
	}
	visit("1")
	visit("2")
	caddy.Kill()
	caddy.Run()
	visit("3")
}

// TestASecondStartSaysWhatIsInTheWay has a program on a port of the example.
func TestASecondStartSaysWhatIsInTheWay(t *testing.T) {
	if listener, err := net.Listen("tcp", "127.0.0.1:8098"); err == nil { // else one is there already
		defer func() { _ = listener.Close() }()
	}
	out, err := exec.Command(filepath.Join(harness.Root(), "xcaddy.sh"), "run").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "xcaddy.sh: a program listens on port 80") || !strings.Contains(string(out), "stop it first") {
		t.Errorf("%v: %s", err, out)
	}
}

func TestWalks(t *testing.T) {
	caddy := startExample(t)

	// To a browser, localhost and 127.0.0.1 are different sites.
	elsewhere := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(elsewhere.Close)

	harness.Walk(t, "browser/walk.mjs", "URL="+caddy.URL, "ELSEWHERE="+strings.Replace(elsewhere.URL, "127.0.0.1", "localhost", 1))
}
