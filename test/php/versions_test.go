package php_test

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/test/harness"
)

// versions returns the npm packages that have a PHP of another version than the machine's.
func versions(t *testing.T) []string {
	t.Helper()
	harness.Node(t)
	found, err := filepath.Glob(filepath.Join(harness.Root(), "test", "node_modules", "@php-wasm", "node-[0-9]*"))
	if err != nil || len(found) == 0 {
		harness.Missing(t, "PHP as WebAssembly")
	}
	for i := range found {
		found[i] = "@php-wasm/" + filepath.Base(found[i])
	}
	for _, wanted := range []string{"7-2", "7-4", "8-0", "8-5"} {
		if !slices.Contains(found, "@php-wasm/node-"+wanted) {
			harness.Missing(t, "PHP "+wanted+" as WebAssembly")
		}
	}
	return found
}

// serveVersion runs a PHP of npm, and returns its address and the file of its log. All of PHP's
// notices and deprecations are in it.
func serveVersion(t *testing.T, version string, settings ...string) (addr, log string) {
	t.Helper()
	addr, log = harness.FreeAddr(t), filepath.Join(t.TempDir(), "php.log")
	args := []string{"--liftoff", "--no-wasm-tier-up", "--wasm-lazy-compilation", filepath.Join(folder(), "wasm.mjs"), version, addr, prepended(), log,
		"session.save_path=/sessions", "error_reporting=-1", "log_errors=1", "display_errors=0", "output_buffering=4096", "session.use_strict_mode=1"}
	cmd := exec.Command(harness.Node(t), append(args, settings...)...)
	cmd.Env = append(os.Environ(), "CADDY_SESSION_KEY="+key)
	harness.Serve(t, version, addr, cmd)
	return addr, log
}

// Every version of PHP keeps the sessions of scripts as it does by itself, and has nothing to say
// about the file.
func TestSessionsInEveryVersion(t *testing.T) {
	t.Parallel()
	for _, version := range versions(t) {
		t.Run(filepath.Base(version), func(t *testing.T) {
			inVersion(t, version, scenarios)
			t.Run("auto_start", func(t *testing.T) { inVersion(t, version, brief, "session.auto_start=1") })
		})
	}
}

func inVersion(t *testing.T, version string, scenarios map[string][]string, settings ...string) {
	addr, log := serveVersion(t, version, settings...)
	plain := harness.FreeAddr(t)
	c := harness.Start(t, fmt.Sprintf("http://%s {\nreverse_proxy %s\n}\nhttp://$ADDR {\n%s\nreverse_proxy %[2]s\n}", plain, addr, session))
	doesAs := func(t *testing.T, steps ...string) {
		alone := visit(t, c)
		alone.base = "http://" + plain
		visit(t, c).doesAs(alone, steps...)
	}
	v := visit(t, c)
	v.does("nested")
	if status, body, _ := v.does("show"); status != http.StatusOK || !strings.Contains(body, `s:4:"deep"`) {
		text, _ := os.ReadFile(log)
		t.Fatalf("the app does not work: %d, %s, and the log says:\n%s", status, body, text)
	}
	random := make([]string, 40)
	for seed := range random {
		random[seed] = fmt.Sprintf("random&seed=%d", seed)
	}
	all := maps.Clone(scenarios)
	all["random"] = random
	delete(all, "time limit") // here PHP has none
	for name, steps := range all {
		t.Run(name, func(t *testing.T) {
			doesAs(t, append(slices.Clone(steps), "show", "show", "cookies")...)
		})
	}
	text, _ := os.ReadFile(log)
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, "in /session.php") || strings.Contains(line, "caddy-session:") || strings.Contains(line, "wasm.mjs") {
			t.Errorf("the log says: %s", line)
		}
	}
	doesAs(t, "nested", "closure", "show") // an exception, and nothing is kept
	withoutSerializable(t, visit(t, c))
}
