package docs_test

import (
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/internal/longtest"
	"github.com/caddy-session/caddy-session/test/harness"
	"github.com/caddy-session/caddy-session/test/harness/process"
)

// TestTwoCommands runs the README's commands in a copy of the checkout, with a package more, until
// the example answers. The compiler has the flags of the other tests' builds, or it would compile
// all of Caddy once more; those of xcaddy itself are not tested.
func TestTwoCommands(t *testing.T) {
	longtest.Test(t)
	t.Parallel()
	readme := read(t, filepath.Join(harness.Root(), "README.md"))
	for _, command := range []string{"build", "run  "} {
		if !strings.Contains(readme, "\n./xcaddy.sh "+command+" ") {
			t.Errorf("the README has no ./xcaddy.sh %s", command)
		}
	}
	ports := make(map[string]string)
	for _, port := range []string{"8080", "8095", "8096", "8097", "8098"} {
		ports[port] = strings.TrimPrefix(harness.FreeAddr(t), "127.0.0.1:")
	}
	dir := copyOfCheckout(t)
	for _, file := range []string{"xcaddy.sh", "Caddyfile.example"} {
		write(t, filepath.Join(dir, file), withPorts(read(t, filepath.Join(dir, file)), ports))
	}

	const sqlite = "github.com/caddy-session/caddy-session/caddymodule/stores/sql/sqlite"
	cmd := exec.Command("bash", "./xcaddy.sh", "run", "--with", sqlite)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "XCADDY_GO_BUILD_FLAGS=-tags=nobadger,nomysql,nopgx", "GOSUMDB=off") // our go.sum is checked by all other builds
	if raceDetector() {
		cmd.Env = append(cmd.Env, "XCADDY_RACE_DETECTOR=1")
	}
	log := new(harness.Log)
	cmd.Stdout, cmd.Stderr = log, log
	script, err := process.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if !script.Stop(time.Minute) {
			t.Error("./xcaddy.sh run does not end")
		}
		if t.Failed() {
			t.Log(log)
		}
	})
	limit := time.After(25 * time.Minute) // to compile Caddy takes long on a small machine
	for page := ""; !strings.Contains(page, `<b id="visits">1</b>`); {
		select {
		case <-script.Exited():
			t.Fatal("it ended")
		case <-limit:
			t.Fatal("the example does not answer")
		case <-time.After(100 * time.Millisecond):
			page = visited("http://localhost:" + ports["8080"])
		}
	}
	for args, want := range map[string]string{
		"list-modules --packages": "\nhttp.session.stores.sql github.com/caddy-session/caddy-session => " + dir,
		"build-info":              "\ndep\tgithub.com/caddy-session/caddy-session\t", // the version, in reports of bugs
	} {
		out, err := exec.CommandContext(t.Context(), filepath.Join(dir, "bin", "caddy"), strings.Fields(args)...).Output()
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("caddy %s: %v: %s", args, err, out)
		}
	}
}

// visited returns the page at a URL, or nothing as long as there is none.
func visited(url string) string {
	client := http.Client{Timeout: time.Minute}
	resp, err := client.Get(url)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	page, _ := io.ReadAll(resp.Body)
	return string(page)
}

// copyOfCheckout copies what a build and the example need.
func copyOfCheckout(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	entries, err := os.ReadDir(harness.Root())
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		name := entry.Name()
		from, to := filepath.Join(harness.Root(), name), filepath.Join(dir, name)
		switch {
		case strings.HasPrefix(name, ".") || slices.Contains([]string{"bin", "docs", "test"}, name):
		case entry.IsDir():
			if err := os.CopyFS(to, os.DirFS(from)); err != nil {
				t.Fatal(err)
			}
		default:
			write(t, to, read(t, from))
		}
	}
	return dir
}

// raceDetector reports whether the tests, and so the builds that they share, have the race
// detector.
func raceDetector() bool {
	info, _ := debug.ReadBuildInfo()
	return slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}
