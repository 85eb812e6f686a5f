package php_test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/caddy-session/caddy-session/clients/php"
	"github.com/caddy-session/caddy-session/test/harness"
)

// modPHP runs Apache with PHP inside, and returns a site in front of it and the file of PHP's log.
// Apache itself goes from / to the app, in two redirects of its own.
func modPHP(t *testing.T, session string, settings ...string) (c *harness.Caddy, log string) {
	t.Helper()
	module, _ := filepath.Glob("/usr/lib/apache2/modules/libphp*.so")
	if len(module) == 0 {
		harness.Missing(t, "libapache2-mod-php")
	}
	dir, err := os.MkdirTemp("", "mod_php") // where Apache's user may read
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	sessions := filepath.Join(dir, "sessions")
	if err := os.Mkdir(sessions, 0o700); err != nil {
		t.Fatal(err)
	}
	for path, mode := range map[string]os.FileMode{dir: 0o777, sessions: 0o777} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	scripts(t, dir)
	addr, config := harness.FreeAddr(t), filepath.Join(dir, "apache2.conf")
	log = filepath.Join(sessions, "php.log")
	write := map[string]string{
		filepath.Join(dir, "session.php"): php.Session,
		config: fmt.Sprintf(`ServerName localhost
ServerRoot %[1]s
PidFile %[1]s/pid
ErrorLog %[1]s/errors
Listen %[2]s
Mutex posixsem
KeepAlive off
LimitRequestFieldSize 65500
LoadModule mpm_prefork_module /usr/lib/apache2/modules/mod_mpm_prefork.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule env_module /usr/lib/apache2/modules/mod_env.so
LoadModule rewrite_module /usr/lib/apache2/modules/mod_rewrite.so
LoadModule php_module %[3]s
DocumentRoot %[1]s
<Directory %[1]s>
	RewriteEngine on
	RewriteRule ^$ again [L]
	RewriteRule ^again$ app.php [L]
</Directory>
<FilesMatch "[.]php$">
	SetHandler application/x-httpd-php
</FilesMatch>
php_value session.save_path %[4]s
php_value error_log %[5]s
php_flag log_errors on
php_flag display_errors off
php_value output_buffering 4096
php_flag session.use_strict_mode on
%[6]s
`, dir, addr, module[0], sessions, log, strings.ReplaceAll(strings.Join(settings, "\n"), "$DIR", dir)),
	}
	for name, text := range write {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(harness.Program(t, "apache2", "/usr/sbin/apache2"), "-X", "-f", config) // one process: the usual parent ends its whole group, with the tests
	if os.Geteuid() == 0 {                                                                      // not by Apache's User, as a process that changes its user does not end with the tests
		wwwData, err := user.Lookup("www-data")
		if err != nil {
			harness.Missing(t, "the user www-data")
		}
		uid, _ := strconv.ParseUint(wwwData.Uid, 10, 32)
		gid, _ := strconv.ParseUint(wwwData.Gid, 10, 32)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	}
	harness.Serve(t, "apache2", addr, cmd)
	return harness.Start(t, fmt.Sprintf("http://$ADDR {\n%s\nreverse_proxy %s\n}", session, addr)), log
}

// With PHP inside Apache, scripts keep their sessions as without the proxy, and phpinfo() has no
// key, also none of those that Apache's own redirects hand on.
func TestModPHP(t *testing.T) {
	t.Parallel()
	alone, _ := modPHP(t, "", "SetEnv CADDY_SESSION_KEY \""+key+"\"")
	behind, log := modPHP(t, session, "SetEnv CADDY_SESSION_KEY \""+key+"\"", "php_value auto_prepend_file $DIR/session.php")
	all := maps.Clone(scenarios)
	maps.Copy(all, odd)
	for name, steps := range all {
		t.Run(name, func(t *testing.T) {
			visit(t, behind).doesAs(visit(t, alone), append(slices.Clone(steps), "show", "show", "cookies")...)
		})
	}
	if text, _ := os.ReadFile(log); strings.Contains(string(text), "caddy-session:") {
		t.Errorf("the log says:\n%s", text)
	}
	if _, body, _ := visit(t, alone).does("dump"); strings.Count(body, key) < 2 || !strings.Contains(body, "REDIRECT_REDIRECT_CADDY_SESSION_KEY") {
		t.Error("without the file, the page does not show all")
	}
	if _, body, _ := visit(t, behind).does("dump"); !strings.Contains(body, "Apache Environment") || strings.Contains(body, key) {
		t.Errorf("with the file, the page of %d bytes shows the key: %t", len(body), strings.Contains(body, key))
	}
}

// Inside Apache, flush() sends the headers. Nothing of the page is lost, whether php.ini has a
// buffer or not, and with late no change that comes after it.
func TestModPHPFlush(t *testing.T) {
	t.Parallel()
	for _, size := range []string{"0", "4096"} {
		settings := []string{"SetEnv CADDY_SESSION_KEY \"" + key + "\"", "php_value output_buffering " + size}
		alone, _ := modPHP(t, "", settings...)
		behind, log := modPHP(t, lateSession, append(settings, "php_value auto_prepend_file $DIR/session.php")...)
		all := maps.Clone(brief)
		all["in an output callback"] = []string{"nested", "flush in a callback"}
		all["a change after it"] = []string{"late, flush alone", "nested", "late, flush alone"}
		for name, steps := range all {
			t.Run(size+", "+name, func(t *testing.T) {
				visit(t, behind).doesAs(visit(t, alone), append(slices.Clone(steps), "show", "show", "cookies")...)
			})
		}
		if text, _ := os.ReadFile(log); strings.Contains(string(text), "caddy-session:") {
			t.Errorf("output_buffering %s: the log says:\n%s", size, text)
		}
	}
}
