// Package sqltest starts real PostgreSQL and MariaDB servers for tests. They listen on free ports of 127.0.0.1, keep their
// files in temporary folders, and end with the test.
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
	"syscall"
	"testing"
	"time"
)

// Who may do everything in the database, and what it is called.
const (
	User     = "session"
	Password = "a-password-to-find"
	Database = "sessions"
)

// Server is one server. Its methods may be called at the same time; they end the test if they cannot do their work.
type Server struct {
	// Port is where it listens on 127.0.0.1, the same for as long as the test runs.
	Port int

	tb   testing.TB
	kind kind
	dir  string

	mu   sync.Mutex
	proc *process
}

// kind is what differs between servers.
type kind struct {
	name string

	// user is whom it runs as if the tests are root's.
	user string

	// prepare makes the files, command starts the server.
	prepare func(s *Server) error
	command func(s *Server) *exec.Cmd

	// dsn is how a client is told where it is.
	dsn func(addr string) string

	// ready says whether it answers.
	ready func(s *Server) error
}

func start(tb testing.TB, k kind) *Server {
	tb.Helper()
	dir, err := os.MkdirTemp("", "sqltest") // a test's own folder is for root alone
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

// Addr is where the server listens (host:port).
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port)) }

// DSN names the database in the form of its Go driver.
func (s *Server) DSN() string { return s.kind.dsn(s.Addr()) }

// DSNAt is DSN for a proxy in front of the server.
func (s *Server) DSNAt(addr string) string { return s.kind.dsn(addr) }

// Log returns all that the server has logged.
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
	p, err := startProcess(cmd)
	if err != nil {
		return fmt.Errorf("starting %s: %w", s.kind.name, err)
	}
	s.mu.Lock()
	s.proc = p
	s.mu.Unlock()
	deadline := time.Now().Add(startTimeout)
	for {
		if !p.running() {
			return fmt.Errorf("%s has ended:\n%s", s.kind.name, tail(s.Log(), 30))
		}
		if err = s.kind.ready(s); err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			p.kill()
			return fmt.Errorf("%s does not answer: %w\n%s", s.kind.name, err, tail(s.Log(), 30))
		}
		time.Sleep(20 * time.Millisecond)
	}
}

const startTimeout = 30 * time.Second

// Kill ends all processes of the server with SIGKILL.
func (s *Server) Kill() {
	if p := s.process(); p != nil {
		p.kill()
	}
}

// Restart starts the server again, with the same port and files. If it still runs it is killed.
func (s *Server) Restart() {
	s.tb.Helper()
	s.Kill()
	var err error
	for range 5 { // the port may still be in use, or the memory that processes share
		if err = s.launch(); err == nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	s.tb.Fatal(err)
}

// Pause stops all processes of the server with SIGSTOP: it keeps its connections, and the kernel even accepts new ones, but it
// says nothing.
func (s *Server) Pause() { s.process().signalAll(syscall.SIGSTOP) }

// Resume lets them go on.
func (s *Server) Resume() { s.process().signalAll(syscall.SIGCONT) }

func (s *Server) process() *process {
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
