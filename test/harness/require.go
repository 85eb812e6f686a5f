package harness

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Missing skips a test because something that test/run.sh installs is missing. On CI, where nothing
// may be missing, it fails the test.
func Missing(tb testing.TB, what string) {
	tb.Helper()
	if os.Getenv("CI") == "true" {
		tb.Fatalf("%s is missing; test/run.sh installs it", what)
	}
	tb.Skipf("%s is missing; test/run.sh installs it", what)
}

// Program returns the path of the first of these programs that is installed.
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

// Python returns the path of a Python with the packages of test/requirements.txt:
// SESSION_TEST_PYTHON, or the one that test/run.sh sets up.
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

// FlaskSession returns the path of a Python with a version of Flask-Session, such as "0.8.0": from
// the environment that test/run.sh makes for test/requirements/flask-session-<version>.txt, or
// Debian's Python for "0.3.2-debian".
func FlaskSession(tb testing.TB, version string) string {
	tb.Helper()
	number, debian := strings.CutSuffix(version, "-debian")
	path := filepath.Join(Root(), "test", ".venvs", "flask-session-"+version, "bin", "python")
	if debian {
		path = "/usr/bin/python3"
	}
	out, err := exec.Command(path, "-c", "from importlib.metadata import version; print(version('Flask-Session'))").Output()
	if err != nil || strings.TrimSpace(string(out)) != number {
		Missing(tb, "Flask-Session "+version)
	}
	return path
}

// Source returns the folder of one of the sources in test/sources.txt, such as "flask-3.1.3".
func Source(tb testing.TB, name string) string {
	tb.Helper()
	path := filepath.Join(Root(), "test", ".sources", name)
	if _, err := os.Stat(path); err != nil {
		Missing(tb, "the source of "+name)
	}
	return path
}

// Apps returns the path of a Python with the packages of test/requirements/apps.txt: third-party
// apps.
func Apps(tb testing.TB) string { return Environment(tb, "apps") }

// Environment returns the path of a Python with the packages of test/requirements/<name>.txt.
func Environment(tb testing.TB, name string) string {
	tb.Helper()
	path := filepath.Join(Root(), "test", ".venvs", name, "bin", "python")
	if _, err := os.Stat(path); err != nil {
		Missing(tb, "the Python of test/requirements/"+name+".txt")
	}
	return path
}

// CalibreWeb returns the path of calibre-web's command in the environment that test/run.sh makes
// for it.
func CalibreWeb(tb testing.TB) string {
	tb.Helper()
	path := filepath.Join(Root(), "test", ".venvs", "calibreweb-0.6.27", "bin", "cps")
	if _, err := os.Stat(path); err != nil {
		Missing(tb, "calibre-web")
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
