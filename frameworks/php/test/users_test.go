//go:build linux

package php_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/caddy-session/caddy-session/test/harness"
)

const warnsOfUsers = "PHP and Caddy may be unable to open each other's sessions"

// strangers is a php-fpm that runs as www-data, with a folder of sessions as Debian's, and the
// Caddys in front of it that run as other users.
type strangers struct {
	t       *testing.T
	wwwData int
	dir     string // of sessions
	pages   string
	program string // Caddy's
	addr    string
}

func newStrangers(t *testing.T) *strangers {
	t.Helper()
	if os.Geteuid() != 0 {
		harness.Missing(t, "root")
	}
	u, err := user.Lookup("www-data")
	if err != nil {
		harness.Missing(t, "the user www-data")
	}
	s := &strangers{t: t}
	s.wwwData, _ = strconv.Atoi(u.Uid)
	base, err := os.MkdirTemp("", "users")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(base) })
	s.dir, s.pages, s.program = filepath.Join(base, "sessions"), filepath.Join(base, "pages"), filepath.Join(base, "caddy")
	err = errors.Join(os.Chmod(base, 0o755), os.Mkdir(s.dir, 0o700), syscall.Chmod(s.dir, 0o1733), // nobody can list it
		os.CopyFS(s.pages, os.DirFS(filepath.Join(harness.Root(), "test", "php"))), exec.Command("cp", harness.Binary(t), s.program).Run())
	if err != nil {
		t.Fatal(err)
	}
	s.addr = harness.StartFPM(t, "user = www-data", "group = www-data", "php_value[session.save_path] = "+s.dir, "php_value[session.use_strict_mode] = 1").Addr
	return s
}

// site is a Caddy that runs as a user. Only the other backend has its sessions.
func (s *strangers) site(uid int, options string) *harness.Caddy {
	s.t.Helper()
	return harness.StartWith(s.t, func(c *harness.Caddy) string {
		c.Prepare = func(cmd *exec.Cmd) {
			own := func(path string, _ fs.DirEntry, err error) error { return errors.Join(err, os.Lchown(path, uid, uid)) }
			if err := errors.Join(os.Chmod(filepath.Dir(c.Dir), 0o755), filepath.WalkDir(c.Dir, own)); err != nil {
				s.t.Fatal(err)
			}
			cmd.Path = s.program
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
		}
		return fmt.Sprintf("http://$ADDR {\nhandle /other {\nsession {\nstore_timeout 30s\nstore file %s\ndialect php {\n%s\n}\n}\nreverse_proxy %s\n}\nhandle {\nroot %s\nrewrite * /app.php?{query}\nphp_fastcgi %s\n}\n}",
			s.dir, options, harness.Backend(s.t, harness.Echo), s.pages, s.addr)
	})
}

// session returns the file of a visitor's session.
func (s *strangers) session(v visitor) (path string, owner int, mode fs.FileMode) {
	s.t.Helper()
	path = filepath.Join(s.dir, "sess_"+v.id())
	info, err := os.Lstat(path)
	if err != nil {
		s.t.Fatal(err)
	}
	return path, int(info.Sys().(*syscall.Stat_t).Uid), info.Mode()
}

// Caddy runs as root and knows the user of PHP, or as that user: sessions go to and fro, and belong
// to PHP's user whoever begins them.
func TestCaddyAsRootAndAsTheUserOfPHP(t *testing.T) {
	t.Parallel()
	s := newStrangers(t)
	for _, test := range []struct {
		name, options string
		uid           int
		warns         bool
	}{
		{"root", "owner www-data", 0, false}, {"PHP's user", "owner www-data", s.wwwData, false}, {"PHP's user, which is not said", "", s.wwwData, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := s.site(test.uid, test.options)
			for begun, begin := range map[string]func(v visitor){
				"by PHP": func(v visitor) { v.does("nested") }, "at the proxy": func(v visitor) { v.updates(`{"deep":{"a":1}}`) },
			} {
				v := visit(t, c)
				begin(v)
				v.does("nested&key=one")
				v.updates(`{"deep":{"two":2}}`)
				v.does("nested&key=three")
				for _, name := range []string{"one", "two", "three"} {
					if _, body := v.does("show"); !strings.Contains(body, `"`+name+`"`) {
						t.Errorf("begun %s: PHP has %s", begun, body)
					}
					if data := v.asks(200); !strings.Contains(data, `"`+name+`"`) {
						t.Errorf("begun %s: the other backend has %s", begun, data)
					}
				}
				path, owner, mode := s.session(v)
				if owner != s.wwwData || mode != 0o600 {
					t.Errorf("begun %s: it belongs to %d, %v", begun, owner, mode)
				}
				v.asks(200, "X-Session-Control", "destroy")
				if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("begun %s: after the logout: %v", begun, err)
				}
			}
			if got := strings.Contains(c.Log(), warnsOfUsers); got != test.warns {
				t.Errorf("it warns: %t, want %t", got, test.warns)
			}
		})
	}
}

// Caddy runs as another user than PHP, or as root that does not know PHP's user: the log says so at
// once, "caddy validate" says so too, and PHP's sessions stay as they are.
func TestCaddyAsAnotherUserThanPHP(t *testing.T) {
	t.Parallel()
	s := newStrangers(t)
	const another = 4321
	for _, test := range []struct {
		name, options, says string
		uid                 int
	}{
		{"another user", "owner www-data", "permission denied; run Caddy as the user that PHP runs as", another},
		{"another user, and PHP's is not said", "", "permission denied; run Caddy as the user that PHP runs as", another},
		{"root", "", "set owner in the block of the dialect to the user that PHP runs as", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := s.site(test.uid, test.options)
			if !c.WaitLog(warnsOfUsers) {
				t.Error("the log does not warn")
			}
			if out, err := c.Command("validate", "--config", c.Config(), "--adapter", "caddyfile").CombinedOutput(); err != nil || !strings.Contains(string(out), warnsOfUsers) {
				t.Errorf("validate: %v, %s", err, out)
			}
			v := visit(t, c)
			v.does("nested")
			path, owner, mode := s.session(v)
			before, _ := os.ReadFile(path)
			v.asks(http.StatusServiceUnavailable, "X-Session-Update", `{"a":1}`)
			v.asks(http.StatusServiceUnavailable, "X-Session-Control", "destroy")
			if !c.WaitLog(test.says) {
				t.Errorf("the log does not say %q", test.says)
			}
			after, err := os.ReadFile(path)
			if _, owned, is := s.session(v); err != nil || string(after) != string(before) || owned != owner || is != mode {
				t.Errorf("the session is %q of %d, %v, %v; before %q of %d, %v", after, owned, is, err, before, owner, mode)
			}
			if _, body := v.does("show"); !strings.Contains(body, `"deep"`) {
				t.Errorf("PHP has %s", body)
			}
		})
	}
}
