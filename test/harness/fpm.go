package harness

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// FPM is a running php-fpm.
type FPM struct {
	Addr string
	Log  string // the file of what the scripts log
	Pid  int
}

// StartFPM runs PHP's process manager until the test ends. settings are lines of its pool, such as
// "php_value[precision] = 17".
func StartFPM(tb testing.TB, settings ...string) FPM {
	tb.Helper()
	program := Program(tb, "php-fpm", "php-fpm8.4", "php-fpm8.3", "php-fpm8.2", "/usr/sbin/php-fpm8.4", "/usr/sbin/php-fpm8.3", "/usr/sbin/php-fpm8.2")
	addr, dir := FreeAddr(tb), tb.TempDir()
	config, log := filepath.Join(dir, "fpm.conf"), filepath.Join(dir, "scripts.log")
	pool := append([]string{
		"[global]", "error_log = " + filepath.Join(dir, "fpm.log"), "daemonize = no",
		"[www]", "listen = " + addr, "pm = static", "pm.max_children = 4", "clear_env = no",
	}, settings...)
	if err := os.WriteFile(config, []byte(strings.Join(pool, "\n")+"\n"), 0o600); err != nil {
		tb.Fatal(err)
	}
	cmd := exec.Command(program, "-F", "-R", "-y", config,
		"-d", "session.save_path="+dir, "-d", "error_log="+log, "-d", "log_errors=1", "-d", "display_errors=0") // a pool's settings count more
	Serve(tb, "php-fpm", addr, cmd)
	return FPM{Addr: addr, Log: log, Pid: cmd.Process.Pid}
}
