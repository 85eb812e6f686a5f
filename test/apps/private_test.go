package apps_test

import (
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/test/harness"
)

// TestRecipesKeepShutWhatHtaccessDoes asks for files in each folder that the app's own .htaccess
// files deny to browsers behind Apache.
func TestRecipesKeepShutWhatHtaccessDoes(t *testing.T) {
	denies := regexp.MustCompile(`(?i)require all denied|deny from all`)
	for page, root := range map[string]string{"mediawiki": "/usr/share/mediawiki", "dokuwiki": "/usr/share/dokuwiki"} {
		t.Run(page, func(t *testing.T) {
			var folders []string
			_ = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
				if err == nil && entry.Name() == ".htaccess" && filepath.Dir(path) != root {
					if text, _ := os.ReadFile(path); denies.Match(text) {
						folders = append(folders, strings.TrimPrefix(filepath.Dir(path), root))
					}
				}
				return nil
			})
			if len(folders) == 0 {
				harness.Missing(t, page)
			}
			fpm := harness.StartFPM(t)
			site := newVisitor(t, harness.Start(t, recipeOf(t, page, "root "+root+"\nphp_fastcgi "+fpm.Addr)).URL)
			for _, folder := range folders {
				for _, file := range []string{".htaccess", "none", "none.php", "none.php/x"} {
					if status, body := site.status(folder + "/" + file); status != http.StatusNotFound || body != "" {
						t.Errorf("%s/%s: %d %q", folder, file, status, body)
					}
				}
			}
		})
	}
}

// TestMediaWikisPictures has pictures, deleted ones, and a script among them.
func TestMediaWikisPictures(t *testing.T) {
	root := t.TempDir()
	for file, text := range map[string]string{
		"index.php": "<?php echo 'a page';", "images/a/ab/x.php": "<?php echo 1 + 1;", "images/a/ab/x.png": "a picture",
		"images/deleted/a/b/x.png": "a deleted picture",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, file)), 0o755); err != nil { //nolint:gosec // for php-fpm's user
			t.Fatal(err)
		}
		write(t, filepath.Join(root, file), text)
	}
	fpm := harness.StartFPM(t)
	site := newVisitor(t, harness.Start(t, recipeOf(t, "mediawiki", "root "+root+"\nphp_fastcgi "+fpm.Addr)).URL)
	for path, want := range map[string]string{
		"/": "a page", "/images/a/ab/x.png": "a picture", "/images/a/ab/x.php": "<?php echo 1 + 1;",
		"/images/a/ab/x.php/y": "", "/images/deleted/a/b/x.png": "", "/IMAGES/deleted/a/b/x.png": "", "/images//deleted/a/b/x.png": "",
	} {
		if status, body := site.status(path); body != want || (status == http.StatusOK) != (want != "") {
			t.Errorf("%s: %d %q, want %q", path, status, body, want)
		}
	}
}
