// Package memcachedtest starts real memcached servers for tests. They listen on free ports of
// 127.0.0.1 and end with the test.
package memcachedtest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
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

// Server is one memcached process.
type Server struct {
	// Addr is the listen address (host:port). It never changes.
	Addr string

	tb     testing.TB
	args   []string
	cmd    *exec.Cmd
	exited chan struct{}
	log    *bytes.Buffer
}

// Start runs a server until the test ends. By default it takes items of 4 MiB, so that every record
// fits.
func Start(tb testing.TB, args ...string) *Server {
	tb.Helper()
	s := &Server{tb: tb, args: append([]string{"-U", "0", "-I", "4m"}, args...)}
	tb.Cleanup(s.Kill)
	for range 10 {
		// Below the ports that Linux uses for outgoing connections, so that none takes the port of
		// a killed server.
		s.Addr = fmt.Sprint("127.0.0.1:", 20000+rand.IntN(12767))
		if err := s.run(); err == nil {
			return s
		}
		tb.Logf("memcached: %s", s.log)
	}
	tb.Fatal("memcached does not start")
	return nil
}

// Restart starts the server again after Kill. It is empty.
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

// run starts the process and waits until it answers.
func (s *Server) run() error {
	host, port, _ := net.SplitHostPort(s.Addr)
	args := append([]string{"-l", host, "-p", port}, s.args...)
	if os.Getuid() == 0 {
		args = append(args, "-u", "nobody") // memcached refuses to run as root
	}
	s.log = new(bytes.Buffer)
	s.cmd = exec.Command(harness.Program(s.tb, "memcached", "/usr/bin/memcached"), args...)
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
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
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		if answers(s.Addr) {
			select {
			case <-exited: // another process answered
			case <-time.After(20 * time.Millisecond):
				return nil
			}
		}
		select {
		case <-exited:
			return fmt.Errorf("memcached has exited")
		case <-time.After(10 * time.Millisecond):
		}
	}
	return fmt.Errorf("memcached does not answer")
}

func answers(addr string) bool {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return false
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	_, err1 := conn.Write([]byte("version\r\n"))
	reply := make([]byte, 8)
	_, err2 := conn.Read(reply)
	return err1 == nil && err2 == nil && string(reply) == "VERSION "
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
