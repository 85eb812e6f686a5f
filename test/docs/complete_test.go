package docs_test

import (
	"go/ast"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/internal/longtest"
	"github.com/caddy-session/caddy-session/test/docs"
	"github.com/caddy-session/caddy-session/test/docs/options"
)

// inline are the options without a name in a Caddyfile.
var inline = []string{"path", "directory", "addresses", "database", "source", "dsn", "uri", "field", "login", "format", "match", "authenticate", "number", "at_limit", "keys"}

// TestEveryOption checks that the tables of the documentation name all options of all modules, the
// handlers' options in the first column. Options have the same name in a Caddyfile and in JSON.
func TestEveryOption(t *testing.T) {
	t.Parallel()
	var text, first, rows strings.Builder
	for _, page := range docs.Pages(t) {
		text.WriteString(page.Text)
		for line := range strings.Lines(page.Text) {
			if row, found := strings.CutPrefix(line, "| "); found && page.Path != "docs/troubleshooting.md" {
				cell, _, _ := strings.Cut(row, " | ")
				first.WriteString(cell + "\n")
				rows.WriteString(row)
			}
		}
	}
	count := 0
	for id, options := range options.All() {
		if !strings.Contains(text.String(), id.Name()) {
			t.Errorf("docs do not name the module %s", id)
		}
		tables := rows.String()
		if id.Namespace() == "http.handlers" {
			tables = first.String()
		}
		for _, option := range options {
			count++
			named := regexp.MustCompile("`(?:[^`\n]*[ {])?" + option + "[` ]")
			if !slices.Contains(inline, option) && !named.MatchString(tables) {
				t.Errorf("no table has the option %s of %s", option, id)
			}
		}
	}
	if count < 80 {
		t.Errorf("found only %d options", count)
	}
}

// TestEveryStoreHasAPage checks that each store has a page, to which the page of all stores leads.
func TestEveryStoreHasAPage(t *testing.T) {
	t.Parallel()
	all, count := docs.Named(t, "docs/stores.md"), 0
	for id := range options.All() {
		if id.Namespace() != "http.session.stores" || id.Name() == "none" { // it keeps nothing
			continue
		}
		count++
		name := "stores/" + id.Name() + ".md"
		if !strings.Contains(all, "]("+name+")") {
			t.Errorf("docs/stores.md has no link to %s", name)
		}
		if page := docs.Named(t, "docs/"+name); !strings.Contains(page, "```caddyfile\n") || !strings.Contains(page, "\n| option | ") {
			t.Errorf("docs/%s has no example, or no table of options", name)
		}
	}
	if count < 8 {
		t.Errorf("found only %d stores", count)
	}
}

// TestEveryLogMessage checks that docs/troubleshooting.md quotes every log message, and no message
// that does not exist.
func TestEveryLogMessage(t *testing.T) {
	longtest.Test(t)
	t.Parallel()
	page := docs.Named(t, "docs/troubleshooting.md")
	var all []string
	logged := 0
	for _, file := range docs.Sources(t) {
		all = append(all, docs.Texts(file)...)
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) == 0 {
				return true
			}
			method, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || !slices.Contains([]string{"Warn", "Error", "Info", "stripHead", "ReportServer"}, method.Sel.Name) {
				return true
			}
			messages := docs.Texts(call.Args[0])
			if method.Sel.Name == "ReportServer" {
				messages = docs.Texts(call)
			}
			for _, message := range messages {
				if message = strings.Trim(message, " :;"); message != "" {
					logged++
					if !strings.Contains(page, message) {
						t.Errorf("docs/troubleshooting.md lacks the log message %q", message)
					}
				}
			}
			return true
		})
	}
	if logged < 30 {
		t.Errorf("found only %d log messages", logged)
	}
	for _, quoted := range quotedMessages(page) {
		if !slices.ContainsFunc(all, func(text string) bool { return says(text, quoted) }) {
			t.Errorf("docs/troubleshooting.md quotes %q, which no source has", quoted)
		}
	}
}

// quotedMessages returns the messages in the first cells of the tables.
func quotedMessages(page string) (quoted []string) {
	for line := range strings.Lines(page) {
		cell, isRow := strings.CutPrefix(line, "| `")
		if !isRow {
			continue
		}
		cell, _, _ = strings.Cut("`"+cell, " | ")
		for _, code := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cell, -1) {
			if strings.Count(code[1], " ") > 1 { // one or two words may be a name, or from another program
				quoted = append(quoted, code[1])
			}
		}
	}
	return quoted
}

var verb = regexp.MustCompile(`%[.\d]*[a-z]`)

// says reports whether a string of the source, possibly with verbs of fmt, is or contains the
// quoted text.
func says(text, quoted string) bool {
	if strings.Contains(text, quoted) {
		return true
	}
	if !verb.MatchString(text) || len(verb.ReplaceAllString(text, "")) < 20 {
		return false
	}
	parts := verb.Split(text, -1)
	for i, part := range parts {
		parts[i] = regexp.QuoteMeta(part)
	}
	return regexp.MustCompile("^" + strings.Join(parts, ".+") + "$").MatchString(quoted)
}

// TestEveryMetric checks that the documentation names all metrics.
func TestEveryMetric(t *testing.T) {
	t.Parallel()
	text, count := docs.Text(t), 0
	for _, file := range docs.Sources(t) {
		for _, name := range docs.Texts(file) {
			if len(name) > len("caddy_session_") && strings.HasPrefix(name, "caddy_session_") {
				count++
				if !strings.Contains(text, "`"+name+"`") {
					t.Errorf("docs lack the metric %s", name)
				}
			}
		}
	}
	if count < 4 {
		t.Errorf("found only %d metrics", count)
	}
}
