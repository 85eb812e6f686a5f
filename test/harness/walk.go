package harness

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Walk runs a script that walks through a site in a real browser: see test/browser/run.mjs. Each
// walk is a subtest. script is a path below test; env has lines such as "URL=http://…".
func Walk(t *testing.T, script string, env ...string) {
	t.Helper()
	node, chromium := Node(t), Chromium(t)
	out := filepath.Join(Root(), "test", "out")
	if err := os.MkdirAll(out, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), node, filepath.Join(Root(), "test", script))
	cmd.Env = append(append(os.Environ(), "CHROMIUM="+chromium, "OUT="+out), env...)
	var complaint strings.Builder
	cmd.Stderr = &complaint
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	walks := 0
	for lines := bufio.NewScanner(stdout); lines.Scan(); walks++ {
		var walk struct{ Name, Error string }
		if err := json.Unmarshal(lines.Bytes(), &walk); err != nil {
			t.Fatalf("%v: %s", err, lines.Bytes())
		}
		t.Run(walk.Name, func(t *testing.T) {
			if walk.Error != "" {
				t.Error(walk.Error)
			}
		})
	}
	if err := cmd.Wait(); err != nil || walks == 0 {
		t.Fatalf("after %d walks: %v\n%s", walks, err, &complaint)
	}
}

// Chromium returns the path of the browser.
func Chromium(tb testing.TB) string {
	tb.Helper()
	return Program(tb, "chromium", "chromium-browser", "google-chrome")
}
