// Package docs reads the documentation for tests: the pages in the root, those in docs/, and the
// READMEs of examples and frameworks.
package docs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/test/harness"
)

// Page is a file of the documentation.
type Page struct {
	// Path is relative to the root of the checkout.
	Path, Text string
}

// Pages returns all pages.
func Pages(tb testing.TB) (pages []Page) {
	tb.Helper()
	root := harness.Root()
	var paths []string
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md", "examples/*/*.md", "frameworks/*/*.md"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			tb.Fatal(err)
		}
		paths = append(paths, found...)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			tb.Fatal(err)
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			tb.Fatal(err)
		}
		pages = append(pages, Page{filepath.ToSlash(name), string(text)})
	}
	return pages
}

// Text returns all pages as one text.
func Text(tb testing.TB) string {
	tb.Helper()
	var all strings.Builder
	for _, page := range Pages(tb) {
		all.WriteString(page.Text)
	}
	return all.String()
}

// Named returns the text of a page, such as "docs/install.md".
func Named(tb testing.TB, path string) string {
	tb.Helper()
	for _, page := range Pages(tb) {
		if page.Path == path {
			return page.Text
		}
	}
	tb.Fatalf("no page %s", path)
	return ""
}

// Between returns the text between two strings. The first must occur exactly once.
func Between(tb testing.TB, start, end string) string {
	tb.Helper()
	parts := strings.Split(Text(tb), start)
	if len(parts) != 2 {
		tb.Fatalf("docs have %q %d times, not once", start, len(parts)-1)
	}
	text, _, found := strings.Cut(parts[1], end)
	if !found {
		tb.Fatalf("docs: no %q after %q", end, start)
	}
	return text
}

// Example is a code block.
type Example struct {
	Page Page

	// Line is the line of the page where the code begins.
	Line int

	// Language is the declared language, such as caddyfile.
	Language, Text string
}

// Examples returns all code blocks in a language; "" stands for any.
func Examples(tb testing.TB, language string) (examples []Example) {
	tb.Helper()
	for _, page := range Pages(tb) {
		var open *Example
		indent := ""
		for i, line := range strings.Split(page.Text, "\n") {
			text := strings.TrimSpace(line)
			switch {
			case open == nil && strings.HasPrefix(text, "```"):
				indent, _, _ = strings.Cut(line, "`")
				open = &Example{Page: page, Line: i + 2, Language: strings.TrimPrefix(text, "```")}
			case open == nil:
			case text == "```":
				if language == "" || open.Language == language {
					examples = append(examples, *open)
				}
				open = nil
			default:
				open.Text += strings.TrimPrefix(line, indent) + "\n"
			}
		}
		if open != nil {
			tb.Fatalf("%s:%d: code block has no end", page.Path, open.Line)
		}
	}
	return examples
}
