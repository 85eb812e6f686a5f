// Package mongotest starts real servers for tests that speak MongoDB's protocol: FerretDB, as test/ferretdb has it. They listen on free
// ports of 127.0.0.1, keep their data in temporary folders, and end with the test.
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

// Server is one FerretDB process. It keeps what it has answered when it is killed.
type Server struct {
	// Addr is where it listens (host:port), the same for as long as the test runs.
	Addr string

	tb     testing.TB
	dir    string
	cmd    *exec.Cmd
	exited chan struct{}
	log    *bytes.Buffer
}

// Start runs a server until the end of the test.
func Start(tb testing.TB) *Server {
	tb.Helper()
	dir, err := os.MkdirTemp("", "mongotest") // a test's own folder may be too long a path for a socket
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

// URI is where clients find it.
func (s *Server) URI() string { return "mongodb://" + s.Addr + "/" }

// Restart starts the server again, with the same data. If it still runs it is killed.
func (s *Server) Restart() {
	s.tb.Helper()
	s.Kill()
	if err := s.run(); err != nil {
		s.tb.Fatalf("%v: %s", err, s.log)
	}
}

// Kill ends the process with SIGKILL, unless it has ended already.
func (s *Server) Kill() {
	if s.cmd != nil && s.cmd.Process != nil {
		_ = s.cmd.Process.Kill()
		<-s.exited
	}
}

// Pause stops the process with SIGSTOP: it keeps its connections, and says nothing.
func (s *Server) Pause() {
	_ = s.cmd.Process.Signal(syscall.SIGSTOP)
	harness.WaitStopped(s.cmd.Process.Pid)
}

// Resume lets the process go on after Pause.
func (s *Server) Resume() { _ = s.cmd.Process.Signal(syscall.SIGCONT) }

// run starts the process and waits until it listens, which it does last.
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
			return fmt.Errorf("ferretdb has ended")
		case <-time.After(10 * time.Millisecond):
		}
	}
	return fmt.Errorf("ferretdb does not listen")
}

// starter is a thread that starts all processes and never ends: Linux sends the signal of [endWithParent] when the
// thread ends that has started the process.
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
