package file

import (
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// TestSystemsWithoutFlockAreRefused with a sentence, and nothing is written. Windows is one.
func TestSystemsWithoutFlockAreRefused(t *testing.T) {
	if (Supported() != nil) != (runtime.GOOS == "windows") {
		t.Fatalf("%s: %v", runtime.GOOS, Supported())
	}
	if unsupported == nil {
		unsupported = errors.New("it needs flock")
		defer func() { unsupported = nil }()
	}
	dir := t.TempDir()
	s := Open(Options{Dir: dir})
	defer func() { _ = s.Close() }()
	_, err := s.CompareAndSet(t.Context(), "key", nil, []byte("value"), 0)
	if !errors.Is(err, sessionstore.ErrUnavailable) {
		t.Error(err)
	}
	for _, err := range []error{Check(dir), s.Probe(t.Context()), err} {
		if err == nil || !strings.Contains(err.Error(), "it needs flock") {
			t.Error(err)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("%v, %v", entries, err)
	}
}
