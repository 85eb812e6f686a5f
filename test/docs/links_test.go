package docs_test

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/test/docs"
	"github.com/caddy-session/caddy-session/test/harness"
)

var (
	link    = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#{1,6} (.+)$`)
	fence   = regexp.MustCompile("(?ms)^ *```.*?^ *```$")
	dropped = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
)

// anchors returns the anchors of a page's headings, made like GitHub's.
func anchors(text string) (all []string) {
	for _, found := range heading.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		name := dropped.ReplaceAllString(strings.ToLower(found[1]), "")
		all = append(all, strings.ReplaceAll(name, " ", "-"))
	}
	return all
}

// TestLinks checks every link of the documentation to a file or a heading of this repository.
func TestLinks(t *testing.T) {
	t.Parallel()
	pages := make(map[string]string)
	for _, page := range docs.Pages(t) {
		pages[page.Path] = page.Text
		if again := repeated(anchors(page.Text)); again != "" {
			t.Errorf("%s: two headings have the anchor %s", page.Path, again)
		}
	}
	for name, text := range pages {
		for _, found := range link.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
			to := found[1]
			if strings.Contains(to, "://") {
				continue
			}
			file, anchor, _ := strings.Cut(to, "#")
			target := name
			if file != "" {
				target = path.Join(path.Dir(name), file)
			}
			if _, err := os.Stat(filepath.Join(harness.Root(), filepath.FromSlash(target))); err != nil {
				t.Errorf("%s: broken link %s: %v", name, to, err)
			} else if anchor != "" && !slices.Contains(anchors(pages[target]), anchor) {
				t.Errorf("%s: link %s: no such heading in %s", name, to, target)
			}
		}
	}
}

func repeated(all []string) string {
	seen := make(map[string]bool)
	for _, one := range all {
		if seen[one] {
			return one
		}
		seen[one] = true
	}
	return ""
}

// TestEveryPageSaysWhatItIsFor has a sentence after the title of each page, before anything else.
func TestEveryPageSaysWhatItIsFor(t *testing.T) {
	t.Parallel()
	begins := regexp.MustCompile("^# .+\n\n`?\\pL")
	for _, page := range docs.Pages(t) {
		if strings.HasPrefix(page.Path, "docs/") && !begins.MatchString(page.Text) {
			t.Errorf("%s does not begin with a title and a sentence", page.Path)
		}
	}
}

// TestEveryPageIsFound checks that the README is short and the index links to every page.
func TestEveryPageIsFound(t *testing.T) {
	t.Parallel()
	var index string
	pages := docs.Pages(t)
	for _, page := range pages {
		switch page.Path {
		case "README.md":
			if lines := strings.Count(page.Text, "\n"); lines > 150 {
				t.Errorf("the README has %d lines", lines)
			}
		case "docs/README.md":
			index = page.Text
		}
	}
	for _, page := range pages {
		if name, below := strings.CutPrefix(page.Path, "docs/"); below && name != "README.md" && !strings.Contains(index, "]("+name+")") {
			t.Errorf("docs/README.md has no link to %s", name)
		}
	}
}
