// Package harness runs real Caddy processes for tests, on free loopback ports, each in its own
// folder.
package harness

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// tags are the build tags of Caddy's releases: they leave out databases that only smallstep's
// certificate authority could use.
const tags = "nobadger,nomysql,nopgx"

// build makes the binary for [Binary]. [MainOf] and [MainWith] replace it.
var build = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("SESSION_TEST_CADDY"); path != "" {
		return path, nil
	}
	return goBuild("./test/cmd/caddy")
})

// goBuild builds the command in the folder pkg, with the race detector if the tests have it, and
// returns its path in Go's build cache, so it is linked once for all packages that use it. It calls
// go run twice: the first run puts the binary into the cache only when it ends.
func goBuild(pkg string) (string, error) {
	args := []string{"run", "-exec", "echo", "-tags", tags}
	if raceEnabled {
		args = append(args, "-race")
	}
	for range 2 {
		cmd := exec.Command("go", append(args, pkg)...)
		cmd.Dir = Root()
		out, err := cmd.Output()
		if err != nil {
			return "", &buildError{err, stderr(err)}
		}
		path := strings.TrimSpace(string(out))
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", errors.New("go run put nothing into the build cache")
}

func stderr(err error) []byte {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.Stderr
	}
	return nil
}

type buildError struct {
	error
	out []byte
}

func (e *buildError) Error() string { return e.error.Error() + "\n" + string(e.out) }

// Binary returns the path of a Caddy with this module, with the race detector if the tests have it.
// The first call builds it. The environment variable SESSION_TEST_CADDY names an existing one.
func Binary(tb testing.TB) string {
	tb.Helper()
	path, err := build()
	if err != nil {
		tb.Fatalf("building caddy: %v", err)
	}
	return path
}

// Root returns the root folder of the checkout.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(filepath.Dir(filepath.Dir(file)))
}
