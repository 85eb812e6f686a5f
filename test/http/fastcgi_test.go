package http_test

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/test/harness"
)

var fcgiSite = newSite("fcgi", `
	session {
		store memory
		secret $SECRET
		max_size 60000
		inject X-User user
	}
	handle /raw {
		reverse_proxy $RAWFCGI {
			transport fastcgi
		}
	}
	handle {
		reverse_proxy $FCGI {
			transport fastcgi
		}
	}`)

func TestFastCGI(t *testing.T) {
	t.Parallel()
	b := fcgiSite.browser(t)
	b.look().holds("{}").keeps()
	b.change("update", `{"user":"zoë"}`, "flash", `"hi"`, "flash", `["info","there"]`).hides().issues()
	r := b.look().holds(`{"user":"zo\u00eb"}`).flashes(`[["message","hi"],["info","there"]]`).keeps()
	if r.given("X-User") != "zo%C3%AB" || r.given("Cookie") != "" || !r.info().exists {
		t.Errorf("the backend got %v", r.sent().Header)
	}
	b.change("control", "regenerate, flash-seen").issues()
	big := text(60000)
	b.change("update", `{"user":null}`, "update", big)
	b.look().holds(big)
	b.ask("update", `{`).want(http.StatusBadGateway).hides().keeps()
	b.send(b.request(http.MethodPost, ask("/", "update", `{"a":1}`), strings.NewReader("body"))).want(http.StatusOK)
	b.look().holds(`{"a":1}`)
	b.send(b.request(http.MethodHead, ask("/", "control", "destroy"), nil)).want(http.StatusOK).expires()
	b.look().holds("{}")
}

const phpScript = `<?php
foreach (explode('|', $_GET['headers'] ?? '') as $line) {
	if ($line !== '') header($line, false);
}
if (isset($_GET['session'])) { session_name('php'); session_start(); }
header('Content-Type: application/json');
$header = [];
foreach ($_SERVER as $name => $value) {
	if (substr($name, 0, 15) === 'HTTP_X_SESSION_' || $name === 'HTTP_COOKIE') {
		$header[str_replace(' ', '-', ucwords(strtolower(str_replace('_', ' ', substr($name, 5)))))] = [$value];
	}
}
echo json_encode(['Method' => $_SERVER['REQUEST_METHOD'], 'Header' => $header]);
`

func TestPHP(t *testing.T) {
	t.Parallel()
	php := harness.Program(t, "php-cgi")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "index.php"), []byte(phpScript), 0o600); err != nil {
		t.Fatal(err)
	}
	addr := harness.FreeAddr(t)
	cmd := exec.Command(php, "-b", addr, "-d", "session.save_path="+dir)
	cmd.Env = append(os.Environ(), "PHP_FCGI_CHILDREN=0", "PHP_FCGI_MAX_REQUESTS=0")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	eventually(t, "php-cgi listens", func() bool {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	c := start(t, `
http://$ADDR {
	root `+dir+`
	session {
		store memory
		secret $SECRET
	}
	php_fastcgi `+addr+`
}`)
	b := visit(t, c)
	php5 := func(lines ...string) *reply {
		t.Helper()
		return b.get(ask("/index.php", "headers", strings.Join(lines, "|"))).want(http.StatusOK).hides()
	}
	php5().holds("{}").keeps()
	php5(`X-Session-Update: {"user":"Zoë"}`, `X-Session-Update: [{"op":"increment","path":"/n","value":1}]`,
		`X-Session-Flash: ["info","hi"]`, `X-Session-Control: permanent=?0`, `X-Session-Control: regenerate`).holds("{}").issues()
	php5().holds(`{"user":"Zo\u00eb","n":1}`).flashes(`[["info","hi"]]`).keeps()
	if r := php5(`X_Session_Update: {"evil":1}`, `X.Session.Update: {"evil":2}`, "x-session-update: {\"n\":2}"); r.StatusCode != http.StatusOK {
		t.Errorf("status %d", r.StatusCode)
	}
	php5().holds(`{"user":"Zo\u00eb","n":2}`)
	// PHP's own session, beside ours.
	r := b.get("/index.php?session=1").keeps()
	if len(r.Cookies()) != 1 || r.Cookies()[0].Name != "php" {
		t.Errorf("cookies %v", r.Cookies())
	}
	r = b.get("/index.php?session=1")
	if got := r.given("Cookie"); !strings.HasPrefix(got, "php=") || strings.Contains(got, "caddy") {
		t.Errorf("PHP got the cookies %q", got)
	}
	r = b.get(ask("/index.php", "headers", "X-Session-Update: {")).want(http.StatusBadGateway).hides()
	if r.Header["X-Powered-By"] != nil {
		t.Error("a refused response has a header of PHP's")
	}
	php5("X-Session-Control: destroy").expires()
	php5().holds("{}")
}
