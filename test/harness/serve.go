package harness

import (
	"net"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/test/harness/process"
)

// startTimeout is how long a program may take until it listens. On a busy machine Python takes its
// time.
const startTimeout = 2 * time.Minute

// Serve runs a program that listens on an address until the test ends, and waits until it listens.
func Serve(tb testing.TB, name, addr string, cmd *exec.Cmd) *Log {
	tb.Helper()
	log := new(Log)
	cmd.Stdout, cmd.Stderr = log, log
	if cmd.Env == nil {
		cmd.Env = os.Environ()
	}
	cmd.Env = append(cmd.Env, "PYTHONDONTWRITEBYTECODE=1")
	p, err := process.Start(cmd)
	if err != nil {
		tb.Fatalf("starting %s: %v", name, err)
	}
	tb.Cleanup(func() {
		p.Stop(10 * time.Second)
		if tb.Failed() {
			tb.Logf("%s printed:\n%s", name, log)
		}
	})
	for end := time.Now().Add(startTimeout); time.Now().Before(end); {
		if conn, err := net.DialTimeout("tcp", addr, time.Second); err == nil {
			_ = conn.Close()
			return log
		}
		select {
		case <-p.Exited():
			tb.Fatalf("%s exited during start:\n%s", name, log)
		case <-time.After(20 * time.Millisecond):
		}
	}
	tb.Fatalf("%s does not listen on %s:\n%s", name, addr, log)
	return nil
}
