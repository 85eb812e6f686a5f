package sqltest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/test/harness"
)

// StartPostgres runs a PostgreSQL server until the test ends. settings are such as "fsync=on";
// without that one, nothing is synced to disk: what a killed process wrote is still in the kernel.
func StartPostgres(tb testing.TB, settings ...string) *Server {
	tb.Helper()
	initdb := program(tb, "initdb")
	return startPostgres(tb, settings, func(s *Server) error {
		password := filepath.Join(s.dir, "password")
		if err := os.WriteFile(password, []byte(Password), 0o644); err != nil {
			return err
		}
		return run(s, initdb, "-D", filepath.Join(s.dir, "data"), "-U", User, "--pwfile", password,
			"-A", "scram-sha-256", "--no-sync", "--no-instructions", "-E", "UTF8", "--locale", "C")
	})
}

// StartStandby runs a PostgreSQL server that replicates another and is read-only.
func StartStandby(tb testing.TB, primary *Server) *Server {
	tb.Helper()
	basebackup := program(tb, "pg_basebackup")
	return startPostgres(tb, nil, func(s *Server) error {
		return run(s, basebackup, "-D", filepath.Join(s.dir, "data"), "-d", primary.DSN(), "-R", "-X", "stream", "-c", "fast", "--no-sync")
	})
}

func startPostgres(tb testing.TB, settings []string, prepare func(*Server) error) *Server {
	tb.Helper()
	postgres := program(tb, "postgres")
	return start(tb, kind{
		name: "postgres", user: "postgres",
		prepare: prepare,
		command: func(s *Server) *exec.Cmd {
			args := []string{"-D", filepath.Join(s.dir, "data"), "-p", strconv.Itoa(s.Port)}
			for _, setting := range append([]string{
				"listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", "shared_buffers=16MB", "max_connections=200",
			}, settings...) {
				args = append(args, "-c", setting)
			}
			return exec.Command(postgres, args...)
		},
		dsn: func(addr string) string {
			return fmt.Sprintf("postgres://%s:%s@%s/postgres?sslmode=disable", User, Password, addr)
		},
		ready: postgresReady,
	})
}

// postgresReady opens a connection.
func postgresReady(s *Server) error {
	conn, err := net.DialTimeout("tcp", s.Addr(), time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	// A startup message without a password. The server asks for one, or returns an error while it
	// starts.
	message := "\x00\x03\x00\x00user\x00" + User + "\x00database\x00postgres\x00\x00"
	length := len(message) + 4
	if _, err := conn.Write(append([]byte{0, 0, byte(length >> 8), byte(length)}, message...)); err != nil {
		return err
	}
	var kind [1]byte
	if _, err := conn.Read(kind[:]); err != nil {
		return err
	}
	if kind[0] != 'R' {
		return fmt.Errorf("unexpected answer %q", kind[0])
	}
	return nil
}

// program returns the path of a program that Debian keeps outside of PATH.
func program(tb testing.TB, name string) string {
	tb.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if len(found) > 0 {
		return found[len(found)-1]
	}
	return harness.Program(tb, name)
}

func run(s *Server, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Dir = s.dir
	if err := as(cmd, s.kind.user); err != nil {
		return err
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", filepath.Base(name), err, out)
	}
	return nil
}
