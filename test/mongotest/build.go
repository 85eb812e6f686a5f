package mongotest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/caddy-session/caddy-session/test/harness"
)

// build returns the path of the server: SESSION_TEST_FERRETDB, or one that it builds, which stays
// in Go's build cache.
var build = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("SESSION_TEST_FERRETDB"); path != "" {
		return path, nil
	}
	cmd := exec.Command("go", "tool", "-n", "ferretdb")
	cmd.Dir = filepath.Join(harness.Root(), "test", "ferretdb")
	cmd.Env = append(os.Environ(), "GOFLAGS="+os.Getenv("GOFLAGS")+" -tags=ferretdb_no_postgresql")
	out, err := cmd.Output()
	if err != nil {
		if exit, ok := err.(*exec.ExitError); ok {
			err = fmt.Errorf("%w\n%s", err, exit.Stderr)
		}
		return "", err
	}
	return strings.TrimSpace(string(out)), nil
})

// ferretdb returns the path of the server. If it cannot be built, its modules are missing.
func ferretdb(tb testing.TB) string {
	tb.Helper()
	path, err := build()
	if err != nil {
		tb.Logf("building ferretdb: %v", err)
		harness.Missing(tb, "ferretdb")
	}
	return path
}
