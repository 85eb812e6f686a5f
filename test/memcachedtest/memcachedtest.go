// Package memcachedtest starts real memcached servers for tests. They listen on free ports of
// 127.0.0.1 and end with the test.
package memcachedtest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/test/harness"
	"github.com/caddy-session/caddy-session/test/harness/process"
)

// Server is one memcached process.
type Server struct {
	// Addr is the listen address (host:port). It never changes.
	Addr string

	tb   testing.TB
	args []string
	proc *process.Process
	log  *harness.Log
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
func (s *Server) Kill() { s.proc.Kill() }

// Pause stops the process with SIGSTOP: it keeps its connections and does not answer.
func (s *Server) Pause() { s.proc.Pause() }

// Resume continues the process after Pause.
func (s *Server) Resume() { s.proc.Resume() }

// run starts the process and waits until it answers.
func (s *Server) run() error {
	host, port, _ := net.SplitHostPort(s.Addr)
	args := append([]string{"-l", host, "-p", port}, s.args...)
	if os.Getuid() == 0 {
		args = append(args, "-u", "nobody") // memcached refuses to run as root
	}
	s.log = new(harness.Log)
	cmd := exec.Command(harness.Program(s.tb, "memcached", "/usr/bin/memcached"), args...)
	cmd.Stdout, cmd.Stderr = s.log, s.log
	var err error
	if s.proc, err = process.Start(cmd); err != nil {
		return err
	}
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		if answers(s.Addr) {
			select {
			case <-s.proc.Exited(): // another process answered
			case <-time.After(20 * time.Millisecond):
				return nil
			}
		}
		select {
		case <-s.proc.Exited():
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
