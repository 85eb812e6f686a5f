package harness

import (
	"bytes"
	"os"
	"os/exec"
)

// buildModules builds a Caddy that also has the modules in faulty and probe. The one in
// SESSION_TEST_CADDY is used if it has them.
func buildModules() (path string, err error) {
	if path := os.Getenv("SESSION_TEST_CADDY"); path != "" {
		modules, err := exec.Command(path, "list-modules").Output()
		if err != nil || bytes.Contains(modules, []byte("http.session.stores.faulty")) {
			return path, err
		}
	}
	return goBuild("./test/harness/cmd/caddy")
}
