package addons_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	_ "github.com/caddy-session/caddy-session/caddymodule"
)

// TestMain runs this program as a Caddy with the handler alone if a test asks for that.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == "session" || os.Args[1] == "validate") {
		caddycmd.Main()
	}
	os.Exit(m.Run())
}

// The handler without frameworks has native sessions, in the stores that need no further driver.
func TestHandlerAlone(t *testing.T) {
	var ids []string
	for _, name := range caddy.Modules() {
		if id, ok := strings.CutPrefix(name, "http.session."); ok {
			ids = append(ids, id)
		}
	}
	if got, want := strings.Join(ids, " "), "dialects.native stores.bolt stores.file stores.memory stores.moving stores.none stores.redis"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// The error for a module that is not compiled in says how to add it.
func TestNotCompiledIn(t *testing.T) {
	const build = " is not compiled in; build with it: xcaddy build --with github.com/caddy-session/caddy-session/"
	adapter := caddyconfig.GetAdapter("caddyfile")
	for option, says := range map[string]string{
		"adopt flask {\nsecret dev\n}":      "adopt flask" + build + "frameworks/flask",
		"dialect flask {\nsecret dev\n}":    "dialect flask" + build + "frameworks/flask",
		"dialect flask_session":             "dialect flask_session" + build + "frameworks/flask",
		"store memcached":                   "store memcached" + build + "caddymodule/stores/memcached",
		"store mongodb mongodb://localhost": "store mongodb" + build + "caddymodule/stores/mongodb",
		"store sql mysql u@/d":              "store sql" + build + "caddymodule/stores/sql/mysql",
		"dialect flask-session":             "unrecognized dialect: flask-session; available: flask, flask_session, native, php",
		"adopt php":                         "unrecognized adopt: php; available: flask",
	} {
		_, _, err := adapter.Adapt([]byte(":80\nsession {\n"+option+"\n}\n"), nil)
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %s", option, err, says)
		}
	}
	for handler, says := range map[string]string{
		`"dialect":{"format":"flask"}`:                    "loading dialect: flask" + build + "frameworks/flask",
		`"adopt":{"kind":"flask"}`:                        "loading adopt: flask" + build + "frameworks/flask",
		`"store":{"backend":"mongodb"}`:                   "loading store: mongodb" + build + "caddymodule/stores/mongodb",
		`"store":{"backend":"redis","addresses":["a b"]}`: "address",
		`"store":{"backend":"rediss"}`:                    "unknown module: http.session.stores.rediss",
		`"store":{}`:                                      "backend",
	} {
		config := filepath.Join(t.TempDir(), "caddy.json")
		text := `{"apps":{"http":{"servers":{"s":{"routes":[{"handle":[{"handler":"session",` + handler + `}]}]}}}}}`
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), os.Args[0], "validate", "--config", config).CombinedOutput()
		if err == nil || !strings.Contains(string(out), says) {
			t.Errorf("%s: %v, %s", handler, err, out)
		}
	}
	for dialect, says := range map[string]string{
		"flask": "dialect flask" + build + "frameworks/flask",
		"php":   "dialect php" + build + "frameworks/php",
		"rails": `; available: flask, flask_session, native, php`,
	} {
		out, err := exec.CommandContext(t.Context(), os.Args[0], "session", "inspect", "--dialect", dialect).CombinedOutput()
		if err == nil || !strings.Contains(string(out), says) {
			t.Errorf("inspecting %s: %v, %s", dialect, err, out)
		}
	}
}
