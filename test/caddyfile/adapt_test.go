// Package caddyfile_test adapts Caddyfiles, in the form of Caddy's own tests: a file holds the
// Caddyfile, a line of hyphens, and the JSON or the error that it gives.
package caddyfile_test

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddytest"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/caddy-session/caddy-session/caddymodule/stores/sql/postgres"
	"github.com/caddy-session/caddy-session/test/docs"
	"github.com/caddy-session/caddy-session/test/docs/options"
)

// golden is a file of testdata.
type golden struct{ name, caddyfile, want string }

func goldens(t *testing.T, folder string) (all []golden) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", folder, "*.caddyfiletest"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("%d files: %v", len(paths), err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		input, want, found := strings.Cut(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n----------\n")
		if !found {
			t.Fatalf("%s has no line of ten hyphens", path)
		}
		name := strings.TrimSuffix(filepath.Base(path), ".caddyfiletest")
		all = append(all, golden{name, input + "\n", strings.TrimSpace(want)})
	}
	return all
}

func TestAdapt(t *testing.T) {
	for _, file := range goldens(t, "adapt") {
		t.Run(file.name, func(t *testing.T) {
			caddytest.AssertAdapt(t, file.caddyfile, "caddyfile", file.want)
		})
	}
}

// TestAdaptErrors wants a part of the error, up to the line, if the file has it.
func TestAdaptErrors(t *testing.T) {
	for _, file := range goldens(t, "errors") {
		t.Run(file.name, func(t *testing.T) {
			_, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(file.caddyfile), nil)
			if file.want == "" || err == nil || !strings.Contains(err.Error(), file.want) {
				t.Errorf("error %v, want %q", err, file.want)
			}
		})
	}
}

// TestProvisionErrors has configurations that are adapted, and that Caddy then does not take. It
// wants a part of the error.
func TestProvisionErrors(t *testing.T) {
	for _, file := range goldens(t, "provision") {
		t.Run(file.name, func(t *testing.T) {
			text, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(file.caddyfile), nil)
			if err != nil {
				t.Fatal(err)
			}
			config := new(caddy.Config)
			if err := json.Unmarshal(text, config); err != nil {
				t.Fatal(err)
			}
			if err := caddy.Validate(config); file.want == "" || err == nil || !strings.Contains(err.Error(), file.want) {
				t.Errorf("error %v, want %q", err, file.want)
			}
		})
	}
}

// TestEveryOptionIsAdapted checks that each option of each module stands in a file.
func TestEveryOptionIsAdapted(t *testing.T) {
	seen := make(map[string][]string)
	for _, file := range goldens(t, "adapt") {
		var config any
		if err := json.Unmarshal([]byte(file.want), &config); err != nil {
			t.Fatalf("%s: %v", file.name, err)
		}
		collect(config, "", "", seen)
	}
	for id, options := range options.All() {
		if _, found := seen[string(id)]; !found {
			t.Errorf("no file has the module %s", id)
		}
		for _, option := range options {
			if !slices.Contains(seen[string(id)], option) {
				t.Errorf("no file has the option %s of %s", option, id)
			}
		}
	}
}

// inline are the keys that name a module, by the option that holds it. A store may hold two.
var inline = map[string][2]string{
	"store":   {"backend", "http.session.stores."},
	"from":    {"backend", "http.session.stores."},
	"to":      {"backend", "http.session.stores."},
	"dialect": {"format", "http.session.dialects."},
	"adopt":   {"kind", "http.session.adopters."},
}

// collect adds the keys of a configuration to those of the module in which they stand.
func collect(config any, option, module string, seen map[string][]string) {
	switch config := config.(type) {
	case []any:
		for _, item := range config {
			collect(item, "", module, seen)
		}
	case map[string]any:
		if name, ok := config["handler"].(string); ok {
			module = "http.handlers." + name
		} else if name, ok := config[inline[option][0]].(string); ok {
			module = inline[option][1] + name
		}
		seen[module] = append(seen[module], "")
		for key, value := range config {
			seen[module] = append(seen[module], key)
			collect(value, key, module, seen)
		}
	}
}

// TestEveryOptionIsRefused takes the values of each option in each file away, and gives it too
// many. One of both is an error, which names the option and the line.
func TestEveryOptionIsRefused(t *testing.T) {
	known := make(map[string]bool)
	for _, names := range options.All() {
		for _, name := range names {
			known[name] = true
		}
	}
	count := 0
	for _, file := range goldens(t, "adapt") {
		lines := strings.Split(file.caddyfile, "\n")
		var directive string
		for i, line := range lines {
			if inBlock := strings.HasPrefix(line, "\t\t"); !inBlock {
				directive = strings.TrimSpace(line)
				continue
			}
			option, values, _ := strings.Cut(strings.TrimSpace(line), " ")
			if matcher := strings.HasPrefix(directive, "@"); matcher || !known[option] {
				continue
			}
			count++
			block := ""
			if strings.HasSuffix(line, "{") {
				block = " {"
			}
			wanted := regexp.MustCompile(fmt.Sprintf(`: %s\b.*, at Caddyfile:%d\b`, option, i+1))
			refused := slices.ContainsFunc([]string{"", strings.TrimSuffix(values, "{") + " 1 2 3 4 5 6 7 8 9"}, func(wrong string) bool {
				mutant := slices.Clone(lines)
				mutant[i] = option + " " + wrong + block
				_, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(strings.Join(mutant, "\n")), nil)
				return err != nil && wanted.MatchString(err.Error())
			})
			if !refused {
				t.Errorf("%s: no error names %s in line %d", file.name, option, i+1)
			}
		}
	}
	if count < 100 {
		t.Errorf("found only %d options", count)
	}
}

// onlyJSON are errors of values that no Caddyfile can give.
var onlyJSON = []string{
	"it needs from, the old store, and to, the new one",
	"module %T is not a dialect",
	"session_clean: headers: name the headers to remove",
	"store mongodb: no uri",
	"store sql %s: no dsn",
}

// TestEveryErrorIsAdapted checks that each error that the source makes for a line of a Caddyfile,
// or for what a Caddyfile asks for, stands in a file, and so does what an option says must be its
// value.
func TestEveryErrorIsAdapted(t *testing.T) {
	var text strings.Builder
	for _, file := range slices.Concat(goldens(t, "errors"), goldens(t, "provision")) {
		text.WriteString(file.want + "\n")
	}
	count := 0
	for _, file := range docs.Sources(t) {
		for _, declared := range file.Decls {
			function, _ := declared.(*ast.FuncDecl)
			ast.Inspect(declared, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				for _, message := range messages(call, function) {
					if strings.HasSuffix(message, ": %w") || slices.Contains(onlyJSON, message) {
						continue
					}
					count++
					pattern := regexp.MustCompile(`%[dqsw]`).ReplaceAllString(regexp.QuoteMeta(message), ".*")
					if !regexp.MustCompile(pattern).MatchString(text.String()) {
						t.Errorf("no file has the error %q", message)
					}
				}
				return true
			})
		}
	}
	if count < 30 {
		t.Errorf("found only %d errors", count)
	}
}

// messages returns the texts of a call that makes an error of a configuration.
func messages(call *ast.CallExpr, in *ast.FuncDecl) []string {
	method, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || len(call.Args) == 0 {
		return nil
	}
	of, _ := method.X.(*ast.Ident)
	if of == nil {
		return nil
	}
	switch name := of.Name + "." + method.Sel.Name; {
	case slices.Contains([]string{"d.Err", "d.Errf", "disp.Err", "disp.Errf"}, name):
		return docs.Texts(call.Args[0])
	case name == "config.Matching":
		return docs.Texts(call.Args[1])
	case (name == "errors.New" || name == "fmt.Errorf") && in != nil && strings.HasPrefix(strings.ToLower(in.Name.Name), "provision"):
		return docs.Texts(call.Args[0])
	default:
		return nil
	}
}
