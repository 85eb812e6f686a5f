package faults

import (
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/test/harness"
)

// TestStoreGoesAway takes away a store's folder or file while it is in use, by a rename and, if
// this process may, by unmounting it. Sessions are unavailable until it is back, no cookie changes,
// no replacement is created, and a logged-out session stays logged out.
func TestStoreGoesAway(t *testing.T) {
	t.Parallel()
	for _, store := range []string{"file $DIR/vol/files", "bolt $DIR/vol/s.db"} {
		for name, volume := range volumes() {
			t.Run(strings.Fields(store)[0]+" "+name, func(t *testing.T) {
				t.Parallel()
				var away, back func() error
				caddy := harness.StartWith(t, func(c *harness.Caddy) string {
					away, back = volume(t, filepath.Join(c.Dir, "vol"))
					return site(t, "store "+store)
				})
				leaves, stays := harness.Client(t), harness.Client(t)
				for _, client := range []*http.Client{leaves, stays} {
					if _, err := get(client, caddy.URL, update, `{"user":"a"}`); err != nil {
						t.Fatal(err)
					}
				}
				if err := away(); err != nil {
					t.Fatal(err)
				}
				time.Sleep(1100 * time.Millisecond) // the maximum time for reads
				for what, headers := range map[string][]string{
					"read": nil, "change": {update, `{"b":1}`}, "destroy": {"X-Session-Control", "destroy"},
				} {
					if _, err := get(leaves, caddy.URL, headers...); err == nil || !strings.Contains(err.Error(), "503") {
						t.Errorf("%s: %v", what, err)
					}
				}
				if _, err := get(harness.Client(t), caddy.URL, update, `{"b":1}`); err == nil || !strings.Contains(err.Error(), "503") {
					t.Errorf("a new session: %v", err)
				}
				entries, err := os.ReadDir(filepath.Join(caddy.Dir, "vol"))
				if len(entries) != 0 {
					t.Errorf("a replacement was created: %v, %v", entries, err)
				}
				if !caddy.WaitLog("it is gone") && !caddy.WaitLog("another one is in its place") {
					t.Errorf("the log does not report it:\n%s", caddy.Log())
				}
				if err := back(); err != nil {
					t.Fatal(err)
				}
				for _, client := range []*http.Client{leaves, stays} {
					if data, err := get(client, caddy.URL); err != nil || data != `{"user":"a"}` {
						t.Errorf("afterwards: %s, %v", data, err)
					}
				}
				if _, err := get(leaves, caddy.URL, "X-Session-Control", "destroy"); err != nil {
					t.Fatal(err)
				}
				if data, err := get(leaves, caddy.URL); err != nil || data != "{}" {
					t.Errorf("logged out: %s, %v", data, err)
				}
			})
		}
	}
}

// volumes make a folder that can be taken away and brought back.
func volumes() map[string]func(t *testing.T, path string) (away, back func() error) {
	all := map[string]func(t *testing.T, path string) (away, back func() error){
		"renamed": func(t *testing.T, path string) (away, back func() error) {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
			return func() error { return os.Rename(path, path+".aside") }, func() error { return os.Rename(path+".aside", path) }
		},
	}
	if runtime.GOOS == "linux" && os.Geteuid() == 0 {
		all["unmounted"] = func(t *testing.T, path string) (away, back func() error) { return mounted(t, path, false) }
		all["another device"] = func(t *testing.T, path string) (away, back func() error) { return mounted(t, path, true) }
	}
	return all
}

// TestUnlinkedSessionFile deletes a session file while it is open: changes that the next restart
// would lose must fail.
func TestUnlinkedSessionFile(t *testing.T) {
	t.Parallel()
	caddy := harness.Start(t, site(t, "store bolt $DIR/s.db"))
	client := harness.Client(t)
	if _, err := get(client, caddy.URL, update, `{"a":1}`); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(caddy.Dir, "s.db")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := get(client, caddy.URL, update, `{"a":2}`); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("a change: %v", err)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("a new file was created: %v", err)
	}
	if !caddy.WaitLog("it is gone") {
		t.Errorf("the log does not report it:\n%s", caddy.Log())
	}
	if err := caddy.Reload(site(t, "store bolt $DIR/s.db\nmax_size 3000")); err != nil {
		t.Error(err)
	}
	if _, err := get(client, caddy.URL, update, `{"a":2}`); err == nil {
		t.Error("a reload creates a new one")
	}
	caddy.Stop()
	caddy.Run()
	eventually(t, caddy)
}
