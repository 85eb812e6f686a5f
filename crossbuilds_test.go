package caddysession

import (
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
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

// TestCrossBuilds builds the binaries of .goreleaser.yaml, one for each system. It takes minutes.
func TestCrossBuilds(t *testing.T) {
	if os.Getenv("CI") == "" {
		t.Skip("it takes minutes: set CI=true")
	}
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
		if system == runtime.GOOS {
			continue // all other tests have built it
		}
		t.Run(system, func(t *testing.T) {
			// One architecture shows it for both: no source is for an architecture alone.
			cmd := exec.CommandContext(t.Context(), "go", "build", "-o", os.DevNull, "-tags="+strings.Join(b.Tags, ","), b.Main)
			cmd.Env = append(append(os.Environ(), b.Env...), "GOOS="+system, "GOARCH=amd64")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	for _, p := range packages(t) {
		for _, file := range p.GoFiles {
			if oneArchitecture.MatchString(file) {
				t.Errorf("%s/%s is for one architecture", p.name(), file)
			}
		}
	}
}

var oneArchitecture = regexp.MustCompile(`_(amd64|arm64|386|arm)\.go$`)

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
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(string(mod))
	for _, want := range slices.Concat(b.Env, b.Flags, b.Ldflags, []string{
		"-tags=" + strings.Join(b.Tags, ",") + " ", " " + b.Main + "\n", "FROM golang:" + version[1] + "-alpine AS build\n",
	}) {
		if !strings.Contains(string(text), want) {
			t.Errorf("the Dockerfile lacks %q", want)
		}
	}
	if n := strings.Count(string(text), "\nFROM "); n != 2 {
		t.Errorf("the Dockerfile has %d stages", n)
	}
}
