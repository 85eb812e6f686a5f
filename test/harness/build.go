// Package harness runs real Caddy processes for the tests, on free ports of the
// loopback and in folders of their own.
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

// tags are those of Caddy's own releases: they leave out databases that only its smallstep
// certificate authority could use.
const tags = "nobadger,nomysql,nopgx"

// build makes the binary of [Binary]. [MainOf] and [MainWith] put others in its place.
var build = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("SESSION_TEST_CADDY"); path != "" {
		return path, nil
	}
	return goBuild("./test/cmd/caddy")
})

// goBuild builds the command in the folder pkg of the checkout, with the race detector if the tests have it, and returns its path in
// Go's cache: it is linked once for all the packages that use it. What go run has just linked it takes into the cache when it is
// done, hence the second time.
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
	return "", errors.New("go run leaves nothing in Go's cache")
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

// Binary returns the path of a Caddy with this module, built at the first call; with
// the race detector if the tests have it. The environment variable
// SESSION_TEST_CADDY names one that is built already.
func Binary(tb testing.TB) string {
	tb.Helper()
	path, err := build()
	if err != nil {
		tb.Fatalf("building caddy: %v", err)
	}
	return path
}

// Root returns the folder of the checkout.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(filepath.Dir(filepath.Dir(file)))
}
