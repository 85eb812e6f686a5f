// Package sqltest starts real PostgreSQL and MariaDB servers for tests. They listen on free ports
// of 127.0.0.1, keep their files in temporary folders, and end with the test.
package sqltest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/test/harness/process"
)

// The user with all permissions, and the database.
const (
	User     = "session"
	Password = "a-password-to-find"
	Database = "sessions"
)

// Server is one server. It is safe for concurrent use; its methods end the test if they fail.
type Server struct {
	// Port is the port on 127.0.0.1. It never changes.
	Port int

	tb   testing.TB
	kind kind
	dir  string

	mu   sync.Mutex
	proc *process.Process
}

// kind is what differs between the kinds of servers.
type kind struct {
	name string

	// user is the user of the process if the tests run as root.
	user string

	// prepare makes the files; command starts the server.
	prepare func(s *Server) error
	command func(s *Server) *exec.Cmd

	// dsn returns the data source name for an address.
	dsn func(addr string) string

	// ready returns an error unless the server answers.
	ready func(s *Server) error
}

func start(tb testing.TB, k kind) *Server {
	tb.Helper()
	dir, err := os.MkdirTemp("", "sqltest") // only root may enter a test's folder
	if err != nil {
		tb.Fatal(err)
	}
	s := &Server{tb: tb, kind: k, dir: dir}
	tb.Cleanup(func() {
		s.Kill()
		if tb.Failed() {
			tb.Logf("the log of %s ends with:\n%s", k.name, tail(s.Log(), 30))
		}
		_ = os.RemoveAll(dir)
	})
	if err := own(dir, k.user); err != nil {
		tb.Fatal(err)
	}
	if err := k.prepare(s); err != nil {
		tb.Fatalf("preparing %s: %v", k.name, err)
	}
	for range 10 {
		if s.Port, err = freePort(); err != nil {
			tb.Fatal(err)
		}
		if err = s.launch(); err == nil {
			return s
		}
	}
	tb.Fatal(err)
	return nil
}

// Addr returns the listen address (host:port).
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port)) }

// DSN returns the data source name of the database for its Go driver.
func (s *Server) DSN() string { return s.kind.dsn(s.Addr()) }

// DSNAt is DSN with another address, such as a proxy's.
func (s *Server) DSNAt(addr string) string { return s.kind.dsn(addr) }

// Log returns the server's log.
func (s *Server) Log() string {
	text, _ := os.ReadFile(filepath.Join(s.dir, "log"))
	return string(text)
}

// launch starts the server and waits until it answers.
func (s *Server) launch() error {
	cmd := s.kind.command(s)
	if err := as(cmd, s.kind.user); err != nil {
		return err
	}
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, log, log
	p, err := process.Start(cmd)
	if err != nil {
		return fmt.Errorf("starting %s: %w", s.kind.name, err)
	}
	s.mu.Lock()
	s.proc = p
	s.mu.Unlock()
	deadline := time.Now().Add(startTimeout)
	for {
		if !p.Running() {
			return fmt.Errorf("%s has ended:\n%s", s.kind.name, tail(s.Log(), 30))
		}
		if err = s.kind.ready(s); err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			p.Kill()
			return fmt.Errorf("%s does not answer: %w\n%s", s.kind.name, err, tail(s.Log(), 30))
		}
		time.Sleep(20 * time.Millisecond)
	}
}

const startTimeout = time.Minute

// Kill kills all processes of the server with SIGKILL.
func (s *Server) Kill() { s.process().Kill() }

// Restart starts the server again with the same port and files. It kills processes that still run.
func (s *Server) Restart() {
	s.tb.Helper()
	s.Kill()
	var err error
	for range 5 { // the port or the shared memory may still be in use
		if err = s.launch(); err == nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	s.tb.Fatal(err)
}

// Pause stops all processes of the server with SIGSTOP: it keeps its connections, the kernel even
// accepts new ones, but it does not answer.
func (s *Server) Pause() { s.process().Pause() }

// Resume continues the processes after Pause.
func (s *Server) Resume() { s.process().Resume() }

func (s *Server) process() *process.Process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.proc
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

func tail(text string, lines int) string {
	all := strings.SplitAfter(strings.TrimSuffix(text, "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "")
}
