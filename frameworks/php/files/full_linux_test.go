package files

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
)

const full = "SESSION_TEST_FULL"

// TestFullDisk lets a process write no file beyond 4 KiB. The session stays as it was, although it
// is changed in place, and no other file is left.
func TestFullDisk(t *testing.T) {
	one := bytes.Repeat([]byte("1"), 3000)
	if dir := os.Getenv(full); dir != "" {
		signal.Ignore(syscall.SIGXFSZ)
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 4096, Max: 4096}); err != nil {
			t.Fatal(err)
		}
		s := openTemp(t, Options{UID: -1})
		s.o.Dir = dir
		for key, old := range map[string][]byte{"sess_abc": one, "sess_new": nil} {
			if _, err := s.CompareAndSet(t.Context(), key, old, make([]byte, 8192), time.Hour); !errors.Is(err, sessionstore.ErrUnavailable) || !errors.Is(err, syscall.EFBIG) {
				t.Errorf("%s: %v", key, err)
			}
		}
		return
	}
	s := openTemp(t, Options{UID: -1})
	save(t, s, "sess_abc", nil, one, time.Hour)
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestFullDisk$")
	child.Env = append(os.Environ(), full+"="+s.o.Dir)
	if out, err := child.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if e, err := s.Get(t.Context(), "sess_abc"); err != nil || !bytes.Equal(e.Value, one) {
		t.Errorf("%d bytes: %.40q, %v", len(e.Value), e.Value, err)
	}
	if names, err := filepath.Glob(filepath.Join(s.o.Dir, "*")); err != nil || len(names) != 1 {
		t.Errorf("%q, %v", names, err)
	}
}
