// Package mongotest starts real servers with MongoDB's protocol for tests: FerretDB, built from
// test/ferretdb. They listen on free ports of 127.0.0.1, keep their data in temporary folders, and
// end with the test.
package mongotest

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/test/harness"
)

// Server is one FerretDB process. A kill loses no data.
type Server struct {
	// Addr is the listen address (host:port). It never changes.
	Addr string

	tb     testing.TB
	dir    string
	cmd    *exec.Cmd
	exited chan struct{}
	log    *bytes.Buffer
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
func (s *Server) Kill() {
	if s.cmd != nil && s.cmd.Process != nil {
		_ = s.cmd.Process.Kill()
		<-s.exited
	}
}

// Pause stops the process with SIGSTOP: it keeps its connections and does not answer.
func (s *Server) Pause() {
	_ = s.cmd.Process.Signal(syscall.SIGSTOP)
	harness.WaitStopped(s.cmd.Process.Pid)
}

// Resume continues the process after Pause.
func (s *Server) Resume() { _ = s.cmd.Process.Signal(syscall.SIGCONT) }

// run starts the process and waits until it listens: the last step of its start.
func (s *Server) run() error {
	s.log = new(bytes.Buffer)
	s.cmd = exec.Command(ferretdb(s.tb), "-listen", s.Addr, "-dir", s.dir)
	s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = s.dir, s.log, s.log
	endWithParent(s.cmd)
	started := make(chan error)
	starter() <- func() { started <- s.cmd.Start() }
	if err := <-started; err != nil {
		s.cmd = nil
		return err
	}
	exited, cmd := make(chan struct{}), s.cmd
	s.exited = exited
	go func() {
		_ = cmd.Wait()
		close(exited)
	}()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); {
		if conn, err := net.DialTimeout("tcp", s.Addr, time.Second); err == nil {
			return conn.Close()
		}
		select {
		case <-exited:
			return fmt.Errorf("ferretdb has exited")
		case <-time.After(10 * time.Millisecond):
		}
	}
	return fmt.Errorf("ferretdb does not listen")
}

// starter is a thread that starts all processes and never ends: the signal of [endWithParent] is
// sent when the thread that started the process ends.
var starter = sync.OnceValue(func() chan<- func() {
	work := make(chan func())
	go func() {
		runtime.LockOSThread()
		for f := range work {
			f()
		}
	}()
	return work
})
