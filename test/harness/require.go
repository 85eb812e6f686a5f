package harness

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Missing skips a test for want of something that test/run.sh installs. Where everything must be
// there, on CI, it fails the test.
func Missing(tb testing.TB, what string) {
	tb.Helper()
	if os.Getenv("CI") == "true" {
		tb.Fatalf("%s is missing; test/run.sh installs it", what)
	}
	tb.Skipf("%s is missing; test/run.sh installs it", what)
}

// Program returns the path of the first of the programs that is installed.
func Program(tb testing.TB, names ...string) string {
	tb.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	Missing(tb, names[0])
	return ""
}

// Python returns the path of a Python that has the packages of test/requirements.txt: what
// SESSION_TEST_PYTHON says, or else the one that test/run.sh has set up.
func Python(tb testing.TB) string {
	tb.Helper()
	path := os.Getenv("SESSION_TEST_PYTHON")
	if path == "" {
		path = filepath.Join(Root(), "test", ".venv", "bin", "python")
	}
	if _, err := os.Stat(path); err != nil {
		Missing(tb, "the Python of the tests")
	}
	return path
}

// Node returns the path of Node.js, if the packages of test/package.json are installed.
func Node(tb testing.TB) string {
	tb.Helper()
	path := Program(tb, "node", "nodejs")
	if _, err := os.Stat(filepath.Join(Root(), "test", "node_modules", "express")); err != nil {
		Missing(tb, "node_modules")
	}
	return path
}
