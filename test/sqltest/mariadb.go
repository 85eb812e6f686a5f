package sqltest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/test/harness"
)

// StartMariaDB runs a MariaDB server until the test ends. settings are such as
// "innodb_flush_log_at_trx_commit=1"; without that one, nothing is synced to disk.
func StartMariaDB(tb testing.TB, settings ...string) *Server {
	tb.Helper()
	install := harness.Program(tb, "mariadb-install-db")
	mariadbd := harness.Program(tb, "mariadbd", "/usr/sbin/mariadbd")
	return start(tb, kind{
		name: "mariadb", user: "mysql",
		prepare: func(s *Server) error {
			var text strings.Builder
			for _, host := range []string{"%", "localhost"} {
				who := fmt.Sprintf("'%s'@'%s'", User, host)
				fmt.Fprintf(&text, "CREATE USER IF NOT EXISTS %s IDENTIFIED BY '%s';\nGRANT ALL ON *.* TO %s WITH GRANT OPTION;\n", who, Password, who)
			}
			text.WriteString("CREATE DATABASE IF NOT EXISTS " + Database + ";\n")
			if err := os.WriteFile(filepath.Join(s.dir, "init.sql"), []byte(text.String()), 0o644); err != nil {
				return err
			}
			return run(s, install, "--no-defaults", "--datadir="+filepath.Join(s.dir, "data"), "--tmpdir="+s.dir, "--skip-test-db",
				"--auth-root-authentication-method=normal", "--innodb-log-file-size=8M", "--innodb-flush-log-at-trx-commit=0")
		},
		command: func(s *Server) *exec.Cmd {
			args := []string{
				// At its start, a server deletes the temporary files of other servers in the same
				// folder.
				"--no-defaults", "--datadir=" + filepath.Join(s.dir, "data"), "--tmpdir=" + s.dir, "--port=" + strconv.Itoa(s.Port),
				"--bind-address=127.0.0.1", "--socket=" + filepath.Join(s.dir, "sock"), "--pid-file=" + filepath.Join(s.dir, "pid"),
				"--init-file=" + filepath.Join(s.dir, "init.sql"), "--innodb-flush-log-at-trx-commit=2",
				"--innodb-log-file-size=64M", "--innodb-buffer-pool-size=32M", "--max-connections=200",
			}
			for _, setting := range settings {
				args = append(args, "--"+setting)
			}
			return exec.Command(mariadbd, args...)
		},
		dsn: func(addr string) string {
			return fmt.Sprintf("%s:%s@tcp(%s)/%s", User, Password, addr, Database)
		},
		ready: mariadbReady,
	})
}

// mariadbReady waits for the server's greeting, which comes after the init file was executed.
func mariadbReady(s *Server) error {
	conn, err := net.DialTimeout("tcp", s.Addr(), time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	_, err = conn.Read(make([]byte, 64))
	return err
}
