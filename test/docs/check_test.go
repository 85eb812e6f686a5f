package docs_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	"github.com/caddy-session/caddy-session/caddymodule/check"
	_ "github.com/caddy-session/caddy-session/caddymodule/stores/sql/mysql"
	_ "github.com/caddy-session/caddy-session/caddymodule/stores/sql/postgres"
	_ "github.com/caddy-session/caddy-session/caddymodule/stores/sql/sqlite"
	"github.com/caddy-session/caddy-session/test/docs"
	"github.com/caddy-session/caddy-session/test/harness"
)

// TestExamplesAreFine checks that caddy session check finds nothing in the examples.
func TestExamplesAreFine(t *testing.T) {
	t.Parallel()
	example, err := os.ReadFile(filepath.Join(harness.Root(), "Caddyfile.example"))
	if err != nil {
		t.Fatal(err)
	}
	fine(t, "Caddyfile.example", string(example))
	n := 0
	for _, example := range docs.Examples(t, "caddyfile") {
		text := site(example.Text)
		if strings.HasPrefix(strings.TrimSpace(example.Text), "store") { // one option of several
			text = strings.Replace(text, "session {", "session {\nsecret {file./run/secrets/session-key}", 1)
		}
		fine(t, example.Page.Path, text)
		n++
	}
	if n < 20 {
		t.Errorf("found only %d examples", n)
	}
}

func fine(t *testing.T, name, caddyfile string) {
	t.Helper()
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), map[string]any{"filename": name})
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	findings, err := check.Config(config, name, []byte(caddyfile))
	if err != nil {
		t.Errorf("%s: %v", name, err)
	}
	for _, f := range findings {
		t.Errorf("%s\n%s", f, caddyfile)
	}
}
