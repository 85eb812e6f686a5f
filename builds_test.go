package caddysession

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-session/caddy-session/internal/addons"
)

// TestUsualBuild lists the modules that this package brings.
func TestUsualBuild(t *testing.T) {
	var ids []string
	for _, name := range caddy.Modules() {
		if strings.HasPrefix(name, "http.session.") || strings.HasPrefix(name, "http.handlers.session") || strings.HasPrefix(name, "admin.api.session") {
			ids = append(ids, name)
		}
	}
	want := []string{
		"admin.api.session",
		"http.handlers.session", "http.handlers.session_admin", "http.handlers.session_clean", "http.handlers.session_devices", "http.handlers.session_gate",
		"http.session.adopters.flask",
		"http.session.dialects.flask", "http.session.dialects.flask_session", "http.session.dialects.native", "http.session.dialects.php",
		"http.session.stores.bolt", "http.session.stores.file", "http.session.stores.memory", "http.session.stores.moving", "http.session.stores.none", "http.session.stores.redis",
	}
	if !slices.Equal(ids, want) {
		t.Errorf("there are %q, want %q", ids, want)
	}
}

// TestEveryAddonIsKnown has each module that the handler does not bring along in the directory by
// which errors say how to get it.
func TestEveryAddonIsKnown(t *testing.T) {
	all := packages(t)
	by := func(name string) pkg {
		for _, p := range all {
			if p.name() == name {
				return p
			}
		}
		t.Fatalf("there is no package %s", name)
		return pkg{}
	}
	brought := by("caddymodule").Deps
	module := regexp.MustCompile(`ID: +"(http\.session\.(?:stores|dialects|adopters)\.([a-z_]+))"`)
	found := 0
	for _, p := range all {
		if slices.Contains(brought, p.ImportPath) {
			continue
		}
		for _, file := range p.GoFiles {
			text, err := os.ReadFile(filepath.Join(p.Dir, file))
			if err != nil {
				t.Fatal(err)
			}
			for _, match := range module.FindAllStringSubmatch(string(text), -1) {
				found++
				_, path, _ := strings.Cut(addons.Hint(match[1], "sqlite"), "--with "+root+"/")
				if path == "" {
					t.Errorf("%s is not in the directory", match[1])
				} else if from := by(path); from.ImportPath != p.ImportPath && !slices.Contains(from.Deps, p.ImportPath) {
					t.Errorf("%s is not in %s", match[1], path)
				}
				if !strings.Contains(addons.Known(strings.TrimSuffix(match[1], "."+match[2])), match[2]) {
					t.Errorf("%s is not listed", match[1])
				}
			}
		}
	}
	if found < 6 {
		t.Errorf("there are %d modules only", found)
	}
}
