package faults

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/test/harness"
	"github.com/caddy-session/caddy-session/test/memcachedtest"
	"github.com/caddy-session/caddy-session/test/mongotest"
	"github.com/caddy-session/caddy-session/test/redistest"
)

// TestStoresLogToThePresentLog moves the log to another file by a reload: later messages of stores
// that outlive their configuration are in the new file, not in the former one.
func TestStoresLogToThePresentLog(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		store func(t *testing.T) (store string, upset func(c *harness.Caddy) error)
		says  string
	}{
		"memory": {func(*testing.T) (string, func(*harness.Caddy) error) {
			return "memory {\nmax_sessions 1\n}", func(*harness.Caddy) error { return nil }
		}, "memory is full"},
		"file": {func(*testing.T) (string, func(*harness.Caddy) error) {
			return "file $DIR/files", func(c *harness.Caddy) error {
				return os.Rename(filepath.Join(c.Dir, "files"), filepath.Join(c.Dir, "aside"))
			}
		}, "the session folder cannot be used"},
		"bolt": {func(*testing.T) (string, func(*harness.Caddy) error) {
			return "bolt $DIR/s.db", func(c *harness.Caddy) error { return os.Remove(filepath.Join(c.Dir, "s.db")) }
		}, "the session file cannot be used"},
		"memcached": {func(t *testing.T) (string, func(*harness.Caddy) error) {
			server := memcachedtest.Start(t)
			return "memcached " + server.Addr, func(*harness.Caddy) error { server.Kill(); return nil }
		}, "memcached is unreachable"},
		"redis": {func(t *testing.T) (string, func(*harness.Caddy) error) {
			server := redistest.Start(t, redistest.Options{})
			return "redis " + server.Addr(), func(*harness.Caddy) error { server.Kill(); return nil }
		}, "redis is unreachable"},
		"mongodb": {func(t *testing.T) (string, func(*harness.Caddy) error) {
			server := mongotest.Start(t)
			return "mongodb " + server.URI(), func(*harness.Caddy) error { server.Kill(); return nil }
		}, "mongodb is unreachable"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, upset := test.store(t)
			config := func(log string) string {
				return fmt.Sprintf("{\n\tadmin $ADMIN\n\tauto_https off\n\tlog {\n\t\toutput file $DIR/%s\n\t}\n}\n", log) + site(t, "store "+store)
			}
			caddy := harness.Start(t, config("one.log"))
			if _, err := get(harness.Client(t), caddy.URL, update, `{"a":1}`); err != nil {
				t.Fatal(err)
			}
			if err := caddy.Reload(config("two.log")); err != nil {
				t.Fatal(err)
			}
			if err := upset(caddy); err != nil {
				t.Fatal(err)
			}
			logged := func(log string) bool {
				text, _ := os.ReadFile(filepath.Join(caddy.Dir, log))
				return strings.Contains(string(text), test.says)
			}
			for end := time.Now().Add(10 * time.Second); !logged("two.log"); time.Sleep(20 * time.Millisecond) {
				_, _ = get(harness.Client(t), caddy.URL, update, `{"a":1}`)
				if time.Now().After(end) {
					t.Fatal("the present log lacks it")
				}
			}
			if logged("one.log") {
				t.Error("the former log has it")
			}
		})
	}
}
