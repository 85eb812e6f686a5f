package faults

import (
	"bytes"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/caddy-session/caddy-session/test/harness"
	"github.com/caddy-session/caddy-session/test/redistest"
)

// beside returns a Caddyfile with a site that needs no session, under /plain, and one that does.
func beside(t *testing.T, options string) string {
	return strings.Replace(site(t, options), "{\n", "{\n\trespond /plain plain\n", 1)
}

// isOut checks that sessions are unavailable and everything else works.
func isOut(t *testing.T, c *harness.Caddy) {
	t.Helper()
	if _, err := get(harness.Client(t), c.URL, update, `{"a":1}`); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("a change: %v", err)
	}
	resp, err := http.Get(c.URL + "/plain")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("a page without a session: %s", resp.Status)
	}
}

// TestCaddyStartsWithAWrongPassword expects the error in the log before the first request for a
// session.
func TestCaddyStartsWithAWrongPassword(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Options{Password: "right-one"})
	caddy := harness.Start(t, beside(t, "store redis "+server.Addr()+" {\n\tpassword wrong-one\n}"))
	if !caddy.WaitLog("the session store cannot be used") || !caddy.WaitLog("WRONGPASS") {
		t.Errorf("the log does not report why:\n%s", caddy.Log())
	}
	isOut(t, caddy)
	if out, err := caddy.Command("validate", "--config", caddy.Config(), "--adapter", "caddyfile").CombinedOutput(); err != nil {
		t.Errorf("validate, which needs no network: %v\n%s", err, out)
	}
	if _, err := server.Do("CONFIG", "SET", "requirepass", "wrong-one"); err != nil {
		t.Fatal(err)
	}
	eventually(t, caddy)
	if strings.Contains(caddy.Log(), "wrong-one") {
		t.Error("the log has the password")
	}
}

// TestCaddyStartsWithoutPermission starts Caddy when it may not write to a folder with a session.
// When it may again, the session is there.
func TestCaddyStartsWithoutPermission(t *testing.T) {
	t.Parallel()
	for _, store := range []string{"file $DIR/vol/files", "bolt $DIR/vol/s.db"} {
		for name, forbid := range forbidden() {
			t.Run(strings.Fields(store)[0]+" "+name, func(t *testing.T) {
				t.Parallel()
				caddy := harness.StartWith(t, func(c *harness.Caddy) string {
					if err := os.Mkdir(filepath.Join(c.Dir, "vol"), 0o700); err != nil {
						t.Fatal(err)
					}
					return beside(t, "store "+store)
				})
				client := harness.Client(t)
				if _, err := get(client, caddy.URL, update, `{"user":"a"}`); err != nil {
					t.Fatal(err)
				}
				caddy.Stop()
				says, allow := forbid(t, caddy)
				caddy.Run()
				if !caddy.WaitLog("the session store cannot be used") || !caddy.WaitLog(says) {
					t.Errorf("the log does not report why:\n%s", caddy.Log())
				}
				isOut(t, caddy)
				out, err := caddy.Command("validate", "--config", caddy.Config(), "--adapter", "caddyfile").CombinedOutput()
				if err == nil || !bytes.Contains(out, []byte(says)) {
					t.Errorf("validate: %v\n%s", err, out)
				}
				if err := caddy.Reload(beside(t, "max_size 3000\nstore "+store)); err == nil || !strings.Contains(err.Error(), says) {
					t.Errorf("reload: %v", err)
				}
				if err := allow(); err != nil {
					t.Fatal(err)
				}
				eventually(t, caddy)
				if data, err := get(client, caddy.URL); err != nil || data != `{"user":"a"}` {
					t.Errorf("afterwards: %s, %v", data, err)
				}
				if err := caddy.Reload(beside(t, "max_size 3001\nstore "+store)); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// forbidden are ways to deny a Caddy that does not run access to its folder vol. They return the
// expected error text.
func forbidden() map[string]func(*testing.T, *harness.Caddy) (says string, allow func() error) {
	if os.Geteuid() != 0 {
		return map[string]func(*testing.T, *harness.Caddy) (string, func() error){"mode": withoutMode}
	}
	all := map[string]func(*testing.T, *harness.Caddy) (string, func() error){"of another owner": ofAnother}
	if runtime.GOOS == "linux" {
		all["read-only"] = func(t *testing.T, c *harness.Caddy) (string, func() error) {
			return "read-only file system", readonly(t, filepath.Join(c.Dir, "vol"))
		}
	}
	return all
}

// each calls f for everything in a folder, and for the folder last.
func each(path string, f func(path string) error) error {
	entries, err := os.ReadDir(path)
	if err != nil && !errors.Is(err, syscall.ENOTDIR) {
		return err
	}
	for _, entry := range entries {
		if err := each(filepath.Join(path, entry.Name()), f); err != nil {
			return err
		}
	}
	return f(path)
}

// withoutMode removes the owner's write permission.
func withoutMode(t *testing.T, c *harness.Caddy) (says string, allow func() error) {
	vol := filepath.Join(c.Dir, "vol")
	change := func(bits fs.FileMode) func() error {
		return func() error {
			return each(vol, func(path string) error {
				info, err := os.Stat(path)
				if err == nil {
					err = os.Chmod(path, info.Mode()&^0o200|bits)
				}
				return err
			})
		}
	}
	allow = change(0o200)
	t.Cleanup(func() { _ = allow() })
	if err := change(0)(); err != nil {
		t.Fatal(err)
	}
	return "permission denied", allow
}

// ofAnother runs Caddy as nobody after root has run it: files of mode 0600 are out of its reach.
func ofAnother(t *testing.T, c *harness.Caddy) (says string, allow func() error) {
	const nobody = 65534
	own := func(path string) error { return os.Lchown(path, nobody, nobody) }
	vol := filepath.Join(c.Dir, "vol")
	program := filepath.Join(c.Dir, "caddy") // nobody may not read the build cache
	if out, err := exec.Command("cp", harness.Binary(t), program).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	err := errors.Join(
		os.Chmod(filepath.Dir(c.Dir), 0o755), os.Chmod(vol, 0o755), each(c.Dir, own),
		each(vol, func(path string) error { return os.Lchown(path, 0, 0) }),
	)
	if err != nil {
		t.Fatal(err)
	}
	c.Prepare = func(cmd *exec.Cmd) {
		cmd.Path = program
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	return "permission denied", func() error { return each(vol, own) }
}
