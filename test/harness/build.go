// Package harness runs real Caddy processes for the tests, on free ports of the
// loopback and in folders of their own.
package harness

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
)

// tags are those of Caddy's own releases: they leave out databases that only its smallstep
// certificate authority could use.
const tags = "nobadger,nomysql,nopgx"

var build = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("SESSION_TEST_CADDY"); path != "" {
		return path, nil
	}
	dir, err := os.MkdirTemp("", "session-caddy")
	if err != nil {
		return "", err
	}
	built = dir
	path := filepath.Join(dir, "caddy")
	args := []string{"build", "-tags", tags, "-o", path}
	if raceEnabled {
		args = append(args, "-race")
	}
	cmd := exec.Command("go", append(args, "./test/cmd/caddy")...)
	cmd.Dir = Root()
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", &buildError{err, out}
	}
	return path, nil
})

// built is the folder of the binary that this process has built, if any.
var built string

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

// Main is for TestMain: it removes the binary that [Binary] has built.
func Main(m *testing.M) {
	code := m.Run()
	if built != "" {
		_ = os.RemoveAll(built)
	}
	os.Exit(code)
}

// Root returns the folder of the checkout.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(filepath.Dir(filepath.Dir(file)))
}
