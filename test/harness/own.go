package harness

import (
	"os"
	"sync"
	"testing"
)

// MainOf is for the TestMain of tests with a Caddy of their own, whose command is in the folder pkg ("./test/…"): what all
// tests would otherwise pay for, such as the compilation of SQLite.
func MainOf(m *testing.M, pkg string) {
	build = sync.OnceValues(func() (string, error) { return goBuild(pkg) })
	os.Exit(m.Run())
}
