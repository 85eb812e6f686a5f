package docs_test

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/internal/longtest"
	"github.com/caddy-session/caddy-session/test/docs"
	"github.com/caddy-session/caddy-session/test/harness"
)

// TestSite builds the site of these pages, with links checked by its generator, and looks at every
// page in a browser: nothing is wider than the screen, and nothing is loaded from elsewhere.
func TestSite(t *testing.T) {
	longtest.Test(t)
	t.Parallel()
	dir := t.TempDir()
	build := exec.Command(harness.Environment(t, "site"), filepath.Join(harness.Root(), "docs", "site", "build.py"), dir)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var pages []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if folder, isPage := strings.CutSuffix(path, "index.html"); isPage {
			pages = append(pages, strings.TrimPrefix(filepath.ToSlash(folder), filepath.ToSlash(dir)+"/"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range docs.Pages(t) {
		name := strings.TrimSuffix(strings.TrimSuffix(page.Path, ".md"), "README")
		if _, err := os.Stat(filepath.Join(dir, name, "index.html")); err != nil {
			t.Error(err)
		}
	}
	site := httptest.NewServer(http.FileServer(http.Dir(dir)))
	defer site.Close()
	harness.Walk(t, "docs/site.mjs", "URL="+site.URL+"/", "PAGES="+strings.Join(pages, " "))
}
