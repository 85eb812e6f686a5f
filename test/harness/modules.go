package harness

import (
	"bytes"
	"os"
	"os/exec"
)

// buildModules builds a Caddy that also has the modules in the folders faulty and probe. The one that
// SESSION_TEST_CADDY names will do if it has them.
func buildModules() (path string, err error) {
	if path := os.Getenv("SESSION_TEST_CADDY"); path != "" {
		modules, err := exec.Command(path, "list-modules").Output()
		if err != nil || bytes.Contains(modules, []byte("http.session.stores.faulty")) {
			return path, err
		}
	}
	return goBuild("./test/harness/cmd/caddy")
}
