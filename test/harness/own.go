package harness

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// MainOf is [Main] for tests with a Caddy of their own, whose command is in the folder pkg ("./test/…"): what all
// tests would otherwise pay for, such as the compilation of SQLite.
func MainOf(m *testing.M, pkg string) {
	build = sync.OnceValues(func() (string, error) {
		dir, err := os.MkdirTemp("", "session-caddy-own")
		if err != nil {
			return "", err
		}
		built = dir
		path := filepath.Join(dir, "caddy")
		args := []string{"build", "-tags", tags, "-o", path}
		if raceEnabled {
			args = append(args, "-race")
		}
		cmd := exec.Command("go", append(args, pkg)...)
		cmd.Dir = Root()
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", &buildError{err, out}
		}
		return path, nil
	})
	Main(m)
}
