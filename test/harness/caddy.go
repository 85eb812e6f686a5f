package harness

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/test/harness/process"
)

// Caddy is a running Caddy process.
type Caddy struct {
	// Addr is the listen address (host:port); URL is the same as a URL.
	Addr, URL string

	// Admin is the address of the admin API.
	Admin string

	// Dir is the folder of the process; Caddy's data directory is Dir/data/caddy.
	Dir string

	// Prepare changes each command before it runs, unless it is nil.
	Prepare func(*exec.Cmd)

	tb   testing.TB
	proc *process.Process
	log  string // the path of its file
}

// Start runs a Caddy with a Caddyfile until the test ends. In the text, $ADDR stands for the listen
// address, $ADMIN for the address of the admin API, $DIR for the test's folder. A Caddyfile without
// a global options block gets one.
func Start(tb testing.TB, caddyfile string) *Caddy {
	tb.Helper()
	c := &Caddy{
		tb: tb, Addr: FreeAddr(tb), Admin: FreeAddr(tb), Dir: tb.TempDir(),
	}
	c.URL = "http://" + c.Addr
	c.Write(caddyfile)
	c.Run()
	tb.Cleanup(func() {
		c.Stop()
		c.checkLog()
	})
	return c
}

// Write writes the Caddyfile for Run and Reload.
func (c *Caddy) Write(caddyfile string) {
	c.tb.Helper()
	if !strings.HasPrefix(strings.TrimSpace(caddyfile), "{") {
		caddyfile = "{\n\tadmin $ADMIN\n\tauto_https off\n\tskip_install_trust\n}\n" + caddyfile
	}
	text := strings.NewReplacer("$ADDR", c.Addr, "$ADMIN", c.Admin, "$DIR", c.Dir).Replace(caddyfile)
	if err := os.WriteFile(c.Config(), []byte(text), 0o600); err != nil {
		c.tb.Fatal(err)
	}
}

// Config returns the path of the Caddyfile.
func (c *Caddy) Config() string { return filepath.Join(c.Dir, "Caddyfile") }

// Run starts the process, also after Kill or Stop, and waits until it listens.
func (c *Caddy) Run() {
	c.tb.Helper()
	// The process writes to a file of its own, so that what it logs before a response is there when
	// the response is: a pipe would be read some time later.
	log, err := os.Create(filepath.Join(c.tb.TempDir(), "log"))
	if err != nil {
		c.tb.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	c.log = log.Name()
	cmd := c.Command("run", "--config", c.Config(), "--adapter", "caddyfile")
	cmd.Stdout, cmd.Stderr = log, log
	if c.proc, err = process.Start(cmd); err != nil {
		c.tb.Fatalf("starting caddy: %v", err)
	}
	for end := time.Now().Add(startTimeout); time.Now().Before(end); {
		conn, err := net.DialTimeout("tcp", c.Addr, time.Second)
		if err == nil {
			_ = conn.Close()
			return
		}
		select {
		case <-c.proc.Exited():
			c.tb.Fatalf("caddy exited during start:\n%s", c.Log())
		case <-time.After(20 * time.Millisecond):
		}
	}
	c.tb.Fatalf("caddy does not listen on %s:\n%s", c.Addr, c.Log())
}

// Command returns a command that runs the same Caddy in the same folders.
func (c *Caddy) Command(args ...string) *exec.Cmd {
	cmd := exec.Command(Binary(c.tb), args...)
	cmd.Env = append(os.Environ(),
		"XDG_DATA_HOME="+filepath.Join(c.Dir, "data"), "XDG_CONFIG_HOME="+filepath.Join(c.Dir, "config"),
		"HOME="+c.Dir, "GORACE=halt_on_error=0")
	cmd.Dir = c.Dir
	if c.Prepare != nil {
		c.Prepare(cmd)
	}
	return cmd
}

// Reload loads another Caddyfile like caddy reload, and waits until the former configuration no
// longer listens: Caddy closes, unread, what still arrives there.
func (c *Caddy) Reload(caddyfile string) error {
	c.tb.Helper()
	c.Write(caddyfile)
	text, err := os.ReadFile(c.Config())
	if err != nil {
		return err
	}
	resp, err := http.Post("http://"+c.Admin+"/load", "text/caddyfile", bytes.NewReader(text))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("reload: %s: %s", resp.Status, body)
	}
	for range 500 {
		n, err := listeners(c.Addr)
		if err != nil || n <= 1 {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("reload: former configuration still listens on %s", c.Addr)
}

// listeners returns the number of sockets that listen on an address: during a reload, Caddy has one
// for each configuration.
func listeners(addr string) (n int, err error) {
	const listening = "0A"
	at, err := netip.ParseAddrPort(addr)
	if err != nil {
		return 0, err
	}
	table, err := os.ReadFile("/proc/net/tcp") // after the title line: number, local address and port, remote ones, state
	if os.IsNotExist(err) {
		return 1, nil // not Linux: unknown
	}
	port := fmt.Sprintf(":%04X", at.Port())
	for line := range strings.Lines(string(table)) {
		if f := strings.Fields(line); len(f) > 3 && strings.HasSuffix(f[1], port) && f[3] == listening {
			n++
		}
	}
	return n, err
}

// Kill kills the process with SIGKILL.
func (c *Caddy) Kill() { c.proc.Kill() }

// Stop stops the process gracefully.
func (c *Caddy) Stop() {
	if !c.proc.Stop(20 * time.Second) {
		c.tb.Errorf("caddy did not stop within 20 s:\n%s", c.Log())
	}
}

// Pid returns the process id.
func (c *Caddy) Pid() int { return c.proc.Pid() }

// Log returns the log since the process was started.
func (c *Caddy) Log() string {
	text, err := os.ReadFile(c.log)
	if err != nil {
		c.tb.Errorf("the log of caddy: %v", err)
	}
	return string(text)
}

// WaitLog reports whether the process logs text. A log line may come shortly after the response.
func (c *Caddy) WaitLog(text string) bool {
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if strings.Contains(c.Log(), text) {
			return true
		}
	}
	return false
}

func (c *Caddy) checkLog() {
	text := c.Log()
	for _, bad := range []string{"panic:", "fatal error:"} {
		if strings.Contains(text, bad) {
			c.tb.Errorf("caddy logged %q:\n%s", bad, text)
		}
	}
	for report := range strings.SplitSeq(text, "==================") {
		if ourRace(report) {
			c.tb.Errorf("race detector reports:\n%s", report)
		}
	}
}

// ourRace reports whether a race report involves our code. Caddy has races of its own, for example
// when it stops while a WebSocket is open.
func ourRace(report string) bool {
	lines := strings.Split(report, "\n")
	for i, line := range lines[:len(lines)-1] {
		line = strings.ToLower(strings.TrimSpace(line))
		access := strings.Contains(line, " at 0x") && (strings.Contains(line, "read") || strings.Contains(line, "write"))
		if access && strings.Contains(lines[i+1], "caddy-session/") {
			return true
		}
	}
	return false
}

// Log collects the output of a process.
type Log struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements [io.Writer].
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}
