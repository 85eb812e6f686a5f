package faults

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/test/harness"
)

// eventually waits until a client can change its session.
func eventually(t *testing.T, c *harness.Caddy) {
	t.Helper()
	client := harness.Client(t)
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		_, err := get(client, c.URL, update, `{"a":1}`)
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("no recovery: %v", err)
		}
	}
}

// TestCaddyStartsWhateverStateAStoreIsIn starts Caddy with an unusable store: requests for sessions
// get 503, everything else works, and sessions work when the store is repaired. A validation fails,
// and so does a reload; neither they nor the start change what is there.
func TestCaddyStartsWhateverStateAStoreIsIn(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		store, path string
		content     []byte
		says        string
	}{
		"bolt foreign":       {"bolt $DIR/s.db", "s.db", []byte("the notes of somebody else, which nobody deletes"), "holds something else"},
		"bolt zeros":         {"bolt $DIR/s.db", "s.db", make([]byte, 64<<10), "holds something else"},
		"bolt in a file":     {"bolt $DIR/x/s.db", "x", []byte("x"), "not a directory"},
		"file, not a folder": {"file $DIR/files", "files", []byte("x"), "not a directory"},
		"file in a file":     {"file $DIR/x/files", "x", []byte("x"), "not a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var path string
			config := func(rest string) string {
				return fmt.Sprintf("http://$ADDR {\n\trespond /plain plain\n\tsession {\n\t\tstore %s\n%s\n\t}\n\treverse_proxy %s\n}\n",
					test.store, rest, harness.Backend(t, harness.Echo))
			}
			caddy := harness.StartWith(t, func(c *harness.Caddy) string {
				path = filepath.Join(c.Dir, test.path)
				if err := os.WriteFile(path, test.content, 0o600); err != nil {
					t.Fatal(err)
				}
				return config("")
			})
			if !caddy.WaitLog("the session store cannot be used") || !strings.Contains(caddy.Log(), test.says) {
				t.Errorf("the log does not report why:\n%s", caddy.Log())
			}
			if _, err := get(harness.Client(t), caddy.URL, update, `{"a":1}`); err == nil || !strings.Contains(err.Error(), "503") {
				t.Errorf("a change: %v", err)
			}
			if resp, err := http.Get(caddy.URL + "/plain"); err != nil {
				t.Errorf("a page without a session: %v", err)
			} else if _ = resp.Body.Close(); resp.StatusCode != http.StatusOK {
				t.Errorf("a page without a session: %s", resp.Status)
			}
			out, err := caddy.Command("validate", "--config", caddy.Config(), "--adapter", "caddyfile").CombinedOutput()
			if err == nil || !bytes.Contains(out, []byte(test.says)) {
				t.Errorf("validate: %v\n%s", err, out)
			}
			if err := caddy.Reload(config("max_size 3000")); err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("reload: %v", err)
			}
			if is, err := os.ReadFile(path); err != nil || !bytes.Equal(is, test.content) {
				t.Errorf("the file was changed: %v", err)
			}
			if err := os.Rename(path, path+".aside"); err != nil {
				t.Fatal(err)
			}
			eventually(t, caddy)
			if err := caddy.Reload(config("max_size 3001")); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestCaddyStartsBesideWhoHoldsTheFile starts Caddy while another process has an empty session file
// open: validations and reloads do not fail, and the file is initialized when it is free.
func TestCaddyStartsBesideWhoHoldsTheFile(t *testing.T) {
	t.Parallel()
	var holder *os.File
	caddy := harness.StartWith(t, func(c *harness.Caddy) string {
		var err error
		if holder, err = os.Create(filepath.Join(c.Dir, "s.db")); err == nil {
			err = syscall.Flock(int(holder.Fd()), syscall.LOCK_EX)
		}
		if err != nil {
			t.Fatal(err)
		}
		return site(t, "store bolt $DIR/s.db")
	})
	if _, err := get(harness.Client(t), caddy.URL, update, `{"a":1}`); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("a change: %v", err)
	}
	if out, err := caddy.Command("validate", "--config", caddy.Config(), "--adapter", "caddyfile").CombinedOutput(); err != nil {
		t.Errorf("validate: %v\n%s", err, out)
	}
	if !caddy.WaitLog("locked by another process") {
		t.Errorf("the log does not report it:\n%s", caddy.Log())
	}
	_ = holder.Close()
	eventually(t, caddy)
}
