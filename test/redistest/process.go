package redistest

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/caddy-session/caddy-session/test/harness/process"
)

// Pid returns the process id.
func (s *Server) Pid() int { return s.process().Pid() }

// Kill kills the process with SIGKILL, unless it has exited.
func (s *Server) Kill() { s.process().Kill() }

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
func (s *Server) Pause() {
	s.process().Pause()
	s.setPaused(true)
}

// Resume continues the process after Pause.
func (s *Server) Resume() {
	s.process().Resume()
	s.setPaused(false)
}

func (s *Server) setPaused(paused bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.paused = paused
}

// Live reports whether the process runs and is not paused.
func (s *Server) Live() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.proc != nil && s.proc.Running() && !s.paused
}

func (s *Server) process() *process.Process {
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
