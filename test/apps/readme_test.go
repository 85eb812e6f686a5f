package apps_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/test/harness"
)

// The README shows the recipes as they are tested.
func TestReadmeHasTheRecipes(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(harness.Root(), "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, app := range []string{"dav", "adminer", "flaskr"} {
		text, err := os.ReadFile(filepath.Join(folder(app), "Caddyfile"))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(readme), "```caddyfile\n"+string(text)+"```") {
			t.Errorf("the README does not show %s as it is", app)
		}
	}
}
