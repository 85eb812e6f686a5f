package caddysession

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/caddy-session/caddy-session/internal/longtest"
)

// release is .goreleaser.yaml.
type release struct {
	Builds []struct {
		Main                        string
		Env, Tags, Flags, Ldflags   []string
		GOOS, GOArch, Goarm, Ignore []string
	}
}

func readYAML(t *testing.T, path string, to any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, to); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// TestCrossBuilds compiles what .goreleaser.yaml releases, for each other system and architecture.
// It does not link: that takes long even if all is compiled.
func TestCrossBuilds(t *testing.T) {
	longtest.Test(t)
	var r release
	readYAML(t, ".goreleaser.yaml", &r)
	if len(r.Builds) != 1 {
		t.Fatalf("there are %d builds", len(r.Builds))
	}
	b := r.Builds[0]
	if want := []string{"linux", "darwin", "windows", "freebsd"}; !slices.Equal(b.GOOS, want) {
		t.Errorf("the systems are %q, want %q", b.GOOS, want)
	}
	if want := []string{"amd64", "arm64"}; !slices.Equal(b.GOArch, want) {
		t.Errorf("the architectures are %q, want %q", b.GOArch, want)
	}
	for _, system := range b.GOOS {
		for _, arch := range b.GOArch {
			if system == runtime.GOOS && arch == runtime.GOARCH {
				continue // all other tests have built it
			}
			t.Run(system+" on "+arch, func(t *testing.T) {
				cmd := exec.CommandContext(t.Context(), "go", "list", "-export", "-tags="+strings.Join(b.Tags, ","), b.Main)
				cmd.Env = slices.Concat(os.Environ(), b.Env, []string{"GOOS=" + system, "GOARCH=" + arch})
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Errorf("%v\n%s", err, out)
				}
			})
		}
	}
}

// TestImageIsTheReleasedBuild has the Dockerfile build what .goreleaser.yaml does, with the Go
// version of go.mod.
func TestImageIsTheReleasedBuild(t *testing.T) {
	var r release
	readYAML(t, ".goreleaser.yaml", &r)
	b := r.Builds[0]
	text, err := os.ReadFile("Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range slices.Concat(b.Env, b.Flags, b.Ldflags, []string{
		"-tags=" + strings.Join(b.Tags, ",") + " ", " " + b.Main + "\n", "FROM golang:" + goSeries(t) + "-alpine AS build\n",
	}) {
		if !strings.Contains(string(text), want) {
			t.Errorf("the Dockerfile lacks %q", want)
		}
	}
	if n := strings.Count(string(text), "\nFROM "); n != 2 {
		t.Errorf("the Dockerfile has %d stages", n)
	}
}

// goSeries returns the Go version of go.mod without its patch.
func goSeries(t *testing.T) string {
	t.Helper()
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(string(mod))[1]
}

// TestWorkflowsHaveTheNewestPatch has all workflows take the newest patch of go.mod's Go: go.mod
// names the oldest that will do, whose standard library has known vulnerabilities.
func TestWorkflowsHaveTheNewestPatch(t *testing.T) {
	var setups int
	workflows, err := filepath.Glob(".github/workflows/*")
	if err != nil || len(workflows) < 2 {
		t.Fatal(workflows, err)
	}
	for _, path := range workflows {
		var workflow struct {
			Jobs map[string]struct {
				Steps []struct {
					Uses string
					With map[string]any
				}
			}
		}
		readYAML(t, path, &workflow)
		for name, job := range workflow.Jobs {
			for _, step := range job.Steps {
				if !strings.HasPrefix(step.Uses, "actions/setup-go@") {
					continue
				}
				setups++
				if want := goSeries(t) + ".x"; step.With["go-version"] != want || step.With["check-latest"] != true {
					t.Errorf("%s, %s: Go is %v, want %s, and the latest", path, name, step.With, want)
				}
			}
		}
	}
	if setups < 6 {
		t.Errorf("found only %d steps", setups)
	}
}
