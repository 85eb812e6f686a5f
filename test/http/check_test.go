package http_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/caddymodule/check"
	"github.com/caddy-session/caddy-session/test/harness"
)

// TestCheck runs caddy session check on files. No Caddy is running.
func TestCheck(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	run := func(args ...string) (stdout string, code int) {
		t.Helper()
		cmd := exec.Command(harness.Binary(t), append([]string{"session", "check"}, args...)...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
		out, err := cmd.Output()
		if err != nil && cmd.ProcessState == nil {
			t.Fatal(err)
		}
		return string(out), cmd.ProcessState.ExitCode()
	}
	if out, code := run(); code == 0 || out != "" {
		t.Errorf("without a configuration: exit code %d: %s", code, out)
	}
	const site = "http://localhost:8080 {\n\thandle /app/* {\n\t\tsession\n\t\treverse_proxy localhost:9000\n\t}\n"
	putFile(t, filepath.Join(dir, "Caddyfile"), site+"}\n")
	if out, code := run(); code != 0 || out != "no findings\n" {
		t.Errorf("a good one: exit code %d: %s", code, out)
	}
	putFile(t, filepath.Join(dir, "bad.conf"), site+"\treverse_proxy localhost:9000\n}\n")
	out, code := run("--config", "bad.conf", "--adapter", "caddyfile")
	if code != 1 || !strings.Contains(out, "bad.conf:4, ") || !strings.Contains(out, "localhost:9000 is reached without its session") {
		t.Errorf("a bad one: exit code %d: %s", code, out)
	}
	adapted, err := exec.Command(harness.Binary(t), "adapt", "--config", filepath.Join(dir, "bad.conf"), "--adapter", "caddyfile").Output()
	if err != nil {
		t.Fatal(err)
	}
	putFile(t, filepath.Join(dir, "bad.json"), string(adapted))
	out, code = run("--config", "bad.json", "--json")
	var findings []check.Finding
	if err := json.Unmarshal([]byte(out), &findings); err != nil || code != 1 || len(findings) != 1 || findings[0].Kind != "app_reached_without_session" || findings[0].Lines != nil {
		t.Errorf("JSON: exit code %d: %v: %s", code, err, out)
	}
	if out, code := run("--json"); code != 0 || strings.TrimSpace(out) != "[]" {
		t.Errorf("a good one in JSON: exit code %d: %s", code, out)
	}
	putFile(t, filepath.Join(dir, "bad.json"), "{")
	if out, code := run("--config", "bad.json"); code == 0 || out != "" {
		t.Errorf("no JSON: exit code %d: %s", code, out)
	}
}
