package flask_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/caddy-session/caddy-session/test/harness"
)

// Lifetimes of sessions in seconds: Flask's default, and one that expires during a test.
const (
	long  = 31 * 24 * 3600
	short = 3
)

// startApps runs the app of every row under the row's name, and again with short sessions as
// <name>-short. It returns the addresses by version: one gunicorn serves all rows of a version.
func startApps(t *testing.T, s servers, rows []row) map[string]string {
	t.Helper()
	apps := make(map[string]map[string]map[string]any)
	for _, r := range rows {
		if apps[r.version] == nil {
			apps[r.version] = make(map[string]map[string]any)
		}
		apps[r.version]["/"+r.String()] = s.config(r, long)
		apps[r.version]["/"+r.String()+"-short"] = s.config(r, short)
	}
	addrs := make(map[string]string)
	for version := range apps {
		addrs[version] = harness.FreeAddr(t)
	}
	for version, configs := range apps {
		python := harness.FlaskSession(t, version)
		gunicorn(t, python, addrs[version], configs)
	}
	return addrs
}

// gunicorn serves apps by path prefix.
func gunicorn(t *testing.T, python, addr string, configs map[string]map[string]any) {
	t.Helper()
	text, err := json.Marshal(configs)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cmd := exec.Command(python, "-m", "gunicorn", "--workers", "2", "--bind", addr, "--timeout", "120", "app:application")
	cmd.Dir = filepath.Join(harness.Root(), "frameworks", "flask", "test")
	// A fixed seed gives sets the same order in both workers.
	cmd.Env = append(os.Environ(), "APPS="+string(text), "LOCK="+filepath.Join(dir, "lock"), "HOME="+dir, "PYTHONHASHSEED=0")
	harness.Serve(t, "gunicorn", addr, cmd)
}
