package harness

import (
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
)

// Shared is a [testing.TB] for what many tests share, from the first use to the end of the process.
// Methods that end a test panic.
type Shared struct {
	testing.TB

	mu       sync.Mutex
	cleanups []func()
	failed   bool
}

// Helper implements [testing.TB].
func (*Shared) Helper() {}

// Fatal implements [testing.TB].
func (*Shared) Fatal(args ...any) { panic(fmt.Sprint(args...)) }

// Fatalf implements [testing.TB].
func (*Shared) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// Errorf implements [testing.TB].
func (s *Shared) Errorf(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = true
	fmt.Printf("--- FAIL: shared by all tests\n    "+format+"\n", args...)
}

// Failed implements [testing.TB].
func (s *Shared) Failed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

// Logf implements [testing.TB].
func (*Shared) Logf(format string, args ...any) { fmt.Printf("    "+format+"\n", args...) }

// Cleanup implements [testing.TB].
func (s *Shared) Cleanup(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cleanups = append(s.cleanups, f)
}

// TempDir implements [testing.TB].
func (s *Shared) TempDir() string {
	dir, err := os.MkdirTemp("", "session-shared")
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// Close runs the cleanups and reports whether nothing has failed.
func (s *Shared) Close() bool {
	s.mu.Lock()
	cleanups := s.cleanups
	s.cleanups = nil
	s.mu.Unlock()
	for _, cleanup := range slices.Backward(cleanups) {
		cleanup()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.failed
}

// StartWith is [Start] with a Caddyfile that is made when the addresses are known.
func StartWith(tb testing.TB, caddyfile func(c *Caddy) string) *Caddy {
	tb.Helper()
	c := &Caddy{tb: tb, Addr: FreeAddr(tb), Admin: FreeAddr(tb), Dir: tb.TempDir()}
	c.URL = "http://" + c.Addr
	c.Write(caddyfile(c))
	c.Run()
	tb.Cleanup(func() {
		c.Stop()
		c.checkLog()
	})
	return c
}

// MainWith is for the TestMain of tests that share something: after runs when all tests have, and
// reports whether nothing has failed. The Caddy that [Binary] builds has the modules in faulty and
// probe.
func MainWith(m *testing.M, after func() bool) {
	build = sync.OnceValues(buildModules)
	code := m.Run()
	if !after() && code == 0 {
		code = 1
	}
	os.Exit(code)
}
