package docs_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/test/docs"
	"github.com/caddy-session/caddy-session/test/harness"
	"github.com/caddy-session/caddy-session/test/redistest"
)

// secrets are the files that the examples read. The tests put them into another folder.
var secrets = map[string]string{
	"dsn":         "postgres://caddy:password@localhost/sessions",
	"mongodb":     "mongodb://caddy:password@localhost/",
	"redis":       "password",
	"session-key": "0123456789abcdef0123456789abcdef",
}

// site makes a Caddyfile from an example: a Caddyfile, a directive, or an option of session.
func site(example string) string {
	switch word, _, _ := strings.Cut(strings.TrimSpace(example), " "); {
	case word == "store":
		return "http://localhost:8080 {\nsession {\n" + example + "}\n}\n"
	case strings.HasPrefix(word, "session"), word == "route":
		return "http://localhost:8080 {\n" + example + "}\n"
	default:
		return example
	}
}

// TestExamples validates every Caddyfile of the documentation with Caddy.
func TestExamples(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "ca.pem"), read(t, redistest.NewTLS(t).CA))
	for name, text := range secrets {
		write(t, filepath.Join(dir, name), text+"\n")
	}
	examples := docs.Examples(t, "caddyfile")
	seen := make(map[string]bool)
	for _, example := range examples {
		seen[example.Page.Path] = true
		t.Run(fmt.Sprintf("%s:%d", example.Page.Path, example.Line), func(t *testing.T) {
			t.Parallel()
			home := t.TempDir()
			config := filepath.Join(home, "Caddyfile")
			text := strings.NewReplacer("/run/secrets/", dir+"/", "/etc/redis/", dir+"/", "/var/lib/caddy/", home+"/").Replace(example.Text)
			write(t, config, site(text))
			cmd := exec.Command(harness.Binary(t), "validate", "--config", config, "--adapter", "caddyfile")
			cmd.Env = append(os.Environ(), "HOME="+home, "XDG_DATA_HOME="+home, "XDG_CONFIG_HOME="+home)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s\n%s", err, site(text), out)
			}
		})
	}
	without := []string{"docs/README.md", "docs/compatibility.md", "docs/costs.md", "docs/go.md", "docs/publishing.md"} // the examples of go.md are in Go
	for _, page := range docs.Pages(t) {
		if strings.HasPrefix(page.Path, "docs/") && !seen[page.Path] && !slices.Contains(without, page.Path) {
			t.Errorf("%s has no example", page.Path)
		}
	}
}

var (
	testCommand  = regexp.MustCompile(`go test [^\n` + "`" + `]*`)
	testNames    = regexp.MustCompile(`-run '?([A-Za-z]\w*)`)
	localPackage = regexp.MustCompile(`(?:^| )\./([\w/]+)`)
)

// ourPackages finds the packages of this module in commands. The owner may replace the module's
// path in all files.
func ourPackages(text string) (folders []string) {
	pattern := regexp.MustCompile(`--with ` + regexp.QuoteMeta("github.com/caddy-session/caddy-session") + `/([\w/]+)`)
	for _, found := range pattern.FindAllStringSubmatch(text, -1) {
		folders = append(folders, found[1])
	}
	return folders
}

// TestCommands checks that the tests, packages and programs in the documentation's commands exist.
func TestCommands(t *testing.T) {
	t.Parallel()
	text := docs.Text(t)
	commands := testCommand.FindAllString(text, -1)
	if len(commands) < 10 {
		t.Errorf("found only %d go test commands", len(commands))
	}
	for _, command := range commands {
		for _, found := range localPackage.FindAllStringSubmatch(command, -1) {
			names := testsOf(t, filepath.Join(harness.Root(), found[1]))
			if len(names) == 0 {
				t.Errorf("%s: no tests", command)
			}
			if name := testNames.FindStringSubmatch(command); name != nil && !strings.Contains(strings.Join(names, " "), " "+name[1]) {
				t.Errorf("%s: no such test", command)
			}
		}
	}
	packages := ourPackages(text)
	if len(packages) < 5 {
		t.Errorf("found only %q", packages)
	}
	for _, folder := range packages {
		if _, err := os.Stat(filepath.Join(harness.Root(), folder)); err != nil {
			t.Error(err)
		}
	}
}

// testsOf returns the names of the tests in a folder.
func testsOf(t *testing.T, dir string) (names []string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	names = []string{""}
	for _, path := range paths {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil {
				names = append(names, f.Name.Name)
			}
		}
	}
	return names
}

// TestRequirements checks that the README names the Go version of go.mod.
func TestRequirements(t *testing.T) {
	t.Parallel()
	found := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(read(t, filepath.Join(harness.Root(), "go.mod")))
	if found == nil || !strings.Contains(read(t, filepath.Join(harness.Root(), "README.md")), "Go "+found[1]+" or newer") {
		t.Errorf("go.mod requires Go %q, the README does not name it", found)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
