// Package mongotest starts real servers with MongoDB's protocol for tests: FerretDB, built from
// test/ferretdb. They listen on free ports of 127.0.0.1, keep their data in temporary folders, and
// end with the test.
package mongotest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/test/harness"
	"github.com/caddy-session/caddy-session/test/harness/process"
)

// Server is one FerretDB process. A kill loses no data.
type Server struct {
	// Addr is the listen address (host:port). It never changes.
	Addr string

	tb   testing.TB
	dir  string
	proc *process.Process
	log  *harness.Log
}

// Start runs a server until the test ends.
func Start(tb testing.TB) *Server {
	tb.Helper()
	dir, err := os.MkdirTemp("", "mongotest") // the path of a test's folder may be too long for a socket
	if err != nil {
		tb.Fatal(err)
	}
	s := &Server{Addr: harness.FreeAddr(tb), tb: tb, dir: dir}
	tb.Cleanup(func() {
		s.Kill()
		_ = os.RemoveAll(dir)
	})
	if err := s.run(); err != nil {
		tb.Fatalf("%v: %s", err, s.log)
	}
	return s
}

// URI returns the connection string.
func (s *Server) URI() string { return "mongodb://" + s.Addr + "/" }

// Restart starts the server again with the same data. It kills a process that still runs.
func (s *Server) Restart() {
	s.tb.Helper()
	s.Kill()
	if err := s.run(); err != nil {
		s.tb.Fatalf("%v: %s", err, s.log)
	}
}

// Kill kills the process with SIGKILL, unless it has exited.
func (s *Server) Kill() { s.proc.Kill() }

// Pause stops the process with SIGSTOP: it keeps its connections and does not answer.
func (s *Server) Pause() { s.proc.Pause() }

// Resume continues the process after Pause.
func (s *Server) Resume() { s.proc.Resume() }

// run starts the process and waits until it listens: the last step of its start.
func (s *Server) run() error {
	s.log = new(harness.Log)
	cmd := exec.Command(ferretdb(s.tb), "-listen", s.Addr, "-dir", s.dir)
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, s.log, s.log
	var err error
	if s.proc, err = process.Start(cmd); err != nil {
		return err
	}
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		if conn, err := net.DialTimeout("tcp", s.Addr, time.Second); err == nil {
			return conn.Close()
		}
		select {
		case <-s.proc.Exited():
			return fmt.Errorf("ferretdb has exited")
		case <-time.After(10 * time.Millisecond):
		}
	}
	return fmt.Errorf("ferretdb does not listen")
}
