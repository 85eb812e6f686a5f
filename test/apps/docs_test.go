package apps_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/test/docs"
)

// The documentation has the tested recipes.
func TestDocumentationHasTheRecipes(t *testing.T) {
	pages := docs.Text(t)
	for _, app := range []string{"dav", "adminer", "flaskr"} {
		text, err := os.ReadFile(filepath.Join(folder(app), "Caddyfile"))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(pages, "```caddyfile\n"+string(text)+"```") {
			t.Errorf("docs lack %s in its present form", app)
		}
	}
}
