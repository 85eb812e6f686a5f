package harness

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

// buildModules returns what builds a Caddy that also has the modules in the folders faulty and
// probe. The one that SESSION_TEST_CADDY names will do if it has them.
func buildModules() func() (path string, err error) {
	return sync.OnceValues(func() (string, error) {
		if path := os.Getenv("SESSION_TEST_CADDY"); path != "" {
			modules, err := exec.Command(path, "list-modules").Output()
			if err != nil || bytes.Contains(modules, []byte("http.session.stores.faulty")) {
				return path, err
			}
		}
		dir, err := os.MkdirTemp("", builtDir)
		if err != nil {
			return "", err
		}
		path := filepath.Join(dir, "caddy")
		args := []string{"build", "-tags", tags, "-o", path}
		if raceEnabled {
			args = append(args, "-race")
		}
		cmd := exec.Command("go", append(args, "./test/harness/cmd/caddy")...)
		cmd.Dir = Root()
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", &buildError{err, out}
		}
		return path, nil
	})
}

const builtDir = "session-caddy-modules"
