package harness

import (
	"os"
	"sync"
	"testing"
)

// MainOf is for the TestMain of tests with their own Caddy, built from the folder pkg ("./test/…"):
// other tests need not wait until, for example, SQLite is compiled.
func MainOf(m *testing.M, pkg string) {
	build = sync.OnceValues(func() (string, error) { return goBuild(pkg) })
	os.Exit(m.Run())
}
