package docs_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/test/docs"
	"github.com/caddy-session/caddy-session/test/harness"
)

// series returns the names of our metrics, as Prometheus has them.
func series(t *testing.T) (names []string) {
	t.Helper()
	for _, file := range docs.Sources(t) {
		for _, name := range docs.Texts(file) {
			if metric.FindString(name) == name {
				names = append(names, name, name+"_bucket", name+"_sum", name+"_count")
			}
		}
	}
	return names
}

var metric = regexp.MustCompile(`caddy_session_[a-z_]+`)

// existing checks that every metric in the text exists, and that it has some.
func existing(t *testing.T, text string) {
	t.Helper()
	all, found := series(t), metric.FindAllString(text, -1)
	for _, name := range found {
		if !slices.Contains(all, name) {
			t.Errorf("there is no metric %s", name)
		}
	}
	if len(found) < 6 {
		t.Errorf("found only %d metrics", len(found))
	}
}

// TestDashboard checks that the dashboard is JSON and asks for metrics that exist, and that it
// shows all of them.
func TestDashboard(t *testing.T) {
	t.Parallel()
	text := read(t, filepath.Join(harness.Root(), "docs", "grafana-dashboard.json"))
	var board struct {
		Panels []struct {
			ID      int
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(text), &board); err != nil {
		t.Fatal(err)
	}
	var exprs strings.Builder
	for i, panel := range board.Panels {
		if panel.ID != i+1 || panel.Title == "" || len(panel.Targets) == 0 {
			t.Errorf("panel %d: %+v", i, panel)
		}
		for _, target := range panel.Targets {
			exprs.WriteString(target.Expr + "\n")
		}
	}
	existing(t, exprs.String())
	for _, file := range docs.Sources(t) {
		for _, name := range docs.Texts(file) {
			if metric.FindString(name) == name && !strings.Contains(exprs.String(), name) {
				t.Errorf("the dashboard does not show %s", name)
			}
		}
	}
	checkRules(t, asRules(exprs.String()))
}

// TestAlertRules checks the rules with Prometheus' own tool.
func TestAlertRules(t *testing.T) {
	t.Parallel()
	text := read(t, filepath.Join(harness.Root(), "docs", "alert-rules.yml"))
	existing(t, text)
	checkRules(t, text)
}

// asRules makes a file of rules from the dashboard's expressions, one a line.
func asRules(exprs string) string {
	rules := "groups:\n- name: dashboard\n  rules:\n"
	for expr := range strings.Lines(strings.ReplaceAll(exprs, "$__rate_interval", "5m")) {
		rules += "  - record: dashboard\n    expr: '" + strings.TrimSpace(expr) + "'\n"
	}
	return rules
}

// checkRules lets promtool check a file of rules.
func checkRules(t *testing.T, text string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "rules.yml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(harness.Program(t, "promtool"), "check", "rules", file).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
