package redistest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/test/harness"
	"github.com/caddy-session/caddy-session/test/harness/process"
)

// newServer prepares a server for boot.
func newServer(tb testing.TB, kind kind, opts Options, certs *TLS) *Server {
	tb.Helper()
	s := &Server{
		tb: tb, kind: kind, opts: opts, TLS: certs, Dir: tb.TempDir(),
		program: harness.Program(tb, "redis-server"), own: make(map[string]bool),
	}
	tb.Cleanup(func() {
		s.Kill()
		if s.client != nil {
			_ = s.client.Close()
		}
		s.releasePorts()
		if tb.Failed() {
			tb.Logf("the log of Redis at %s ends with:\n%s", s.Addr(), tail(s.Log(), 30))
		}
	})
	return s
}

// boot starts servers for the first time, in parallel.
func boot(tb testing.TB, servers ...*Server) {
	tb.Helper()
	errs := make([]error, len(servers))
	var wg sync.WaitGroup
	for i, s := range servers {
		wg.Go(func() { errs[i] = s.boot() })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		tb.Fatal(err)
	}
}

// boot starts the server. It picks other ports if another program has taken them.
func (s *Server) boot() error {
	for range 10 {
		if err := s.reservePorts(); err != nil {
			return err
		}
		err := s.writeConfig()
		if err == nil {
			err = s.launch()
		}
		if err == nil || !strings.Contains(s.Log(), "Address already in use") {
			return err
		}
		s.releasePorts()
		_ = os.Remove(s.logPath())
	}
	return errors.New("redis-server: ports were in use ten times")
}

func (s *Server) reservePorts() error {
	first, err := reservePort()
	if err != nil {
		return err
	}
	s.Port, s.ports = first.number, []*port{first}
	if s.kind != clusterNode {
		return nil
	}
	second, err := reservePort()
	if err != nil {
		return err
	}
	s.busPort, s.ports = second.number, append(s.ports, second)
	return nil
}

func (s *Server) releasePorts() {
	for _, p := range s.ports {
		p.release()
	}
}

// launch starts the process and waits until it answers.
func (s *Server) launch() error {
	args := []string{s.configPath()}
	if s.kind == sentinel {
		args = append(args, "--sentinel")
	}
	cmd := exec.Command(s.program, args...)
	cmd.Dir = s.Dir
	// Redis reports errors in redis.conf before it opens its log.
	log, err := os.OpenFile(s.logPath(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	p, err := process.Start(cmd)
	if err != nil {
		return fmt.Errorf("starting redis-server: %w", err)
	}
	s.mu.Lock()
	if s.client != nil {
		_ = s.client.Close()
	}
	s.proc, s.paused, s.client = p, false, s.newClient()
	s.mu.Unlock()
	if err := s.waitUp(p); err != nil || s.kind != sentinel {
		return err
	}
	return s.hasten()
}

// waitUp waits until the process answers PING: when it has loaded its data.
func (s *Server) waitUp(p *process.Process) error {
	err := wait(startTimeout, func() error {
		if !p.Running() {
			return stop{errors.New("it ended")}
		}
		c, err := s.connect(time.Second)
		if err != nil {
			return err
		}
		defer c.Close()
		_, err = c.ask("PING")
		return err
	})
	if err != nil {
		return fmt.Errorf("redis-server on port %d does not answer: %w\n%s", s.Port, err, tail(s.Log(), 30))
	}
	return nil
}

const startTimeout = time.Minute
