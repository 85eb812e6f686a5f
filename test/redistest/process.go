package redistest

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// process is one run of a server.
type process struct {
	cmd    *exec.Cmd
	exited chan struct{}
	paused bool
}

func (p *process) running() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// Pid returns the process id.
func (s *Server) Pid() int { return s.process().cmd.Process.Pid }

// Kill kills the process with SIGKILL, unless it has exited.
func (s *Server) Kill() {
	if p := s.process(); p != nil {
		_ = p.cmd.Process.Kill()
		<-p.exited
	}
}

// Restart starts the process again with the same port, folder and configuration, and waits until it
// answers. It kills a process that still runs.
func (s *Server) Restart() {
	s.tb.Helper()
	s.Kill()
	if err := s.launch(); err != nil {
		s.tb.Fatal(err)
	}
}

// Pause stops the process with SIGSTOP: it keeps its connections, the kernel even accepts new ones,
// but it does not answer.
func (s *Server) Pause() { s.signal(syscall.SIGSTOP, true) }

// Resume continues the process after Pause.
func (s *Server) Resume() { s.signal(syscall.SIGCONT, false) }

func (s *Server) signal(signal syscall.Signal, paused bool) {
	s.tb.Helper()
	p := s.process()
	if err := p.cmd.Process.Signal(signal); err != nil {
		s.tb.Fatalf("sending redis-server %v: %v", signal, err)
	}
	s.mu.Lock()
	p.paused = paused
	s.mu.Unlock()
	err := wait(startTimeout, func() error {
		if stopped, known := isStopped(p.cmd.Process.Pid); known && stopped != paused {
			return errors.New("the signal had no effect")
		}
		return nil
	})
	if err != nil {
		s.tb.Fatalf("sending redis-server %v: %v", signal, err)
	}
}

// Live reports whether the process runs and is not paused.
func (s *Server) Live() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.proc != nil && s.proc.running() && !s.proc.paused
}

func (s *Server) process() *process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.proc
}

func (s *Server) logPath() string { return filepath.Join(s.Dir, "redis.log") }

// Log returns the server's log. Its end is printed if the test fails.
func (s *Server) Log() string {
	text, _ := os.ReadFile(s.logPath())
	return string(text)
}

func tail(text string, lines int) string {
	all := strings.SplitAfter(strings.TrimSuffix(text, "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "")
}
