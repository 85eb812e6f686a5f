//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package folder

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestMake makes folders with a strict umask. Who may use the folder can reach it, and nobody but
// the owner can put another in its place.
func TestMake(t *testing.T) {
	top := t.TempDir()
	if err := os.Chmod(top, 0o755|fs.ModeSetgid); err != nil {
		t.Fatal(err)
	}
	defer syscall.Umask(syscall.Umask(0o077))
	inherited := modeOf(t, top) & fs.ModeSetgid
	if err := os.Mkdir(filepath.Join(top, "probe"), 0o700); err != nil {
		t.Fatal(err)
	}
	inherited &= modeOf(t, filepath.Join(top, "probe"))
	for name, test := range map[string]struct{ mode, parents fs.FileMode }{
		"owner": {0o700, 0o700}, "readers": {0o750, 0o750}, "group": {0o770, 0o750}, "all": {0o777, 0o755},
	} {
		leaf := filepath.Join(top, name, "a", "b")
		if err := Make(leaf, test.mode); err != nil {
			t.Fatal(err)
		}
		for path, mode := range map[string]fs.FileMode{
			leaf: test.mode, filepath.Dir(leaf): test.parents, filepath.Join(top, name): test.parents,
		} {
			if got := modeOf(t, path); got.Perm() != mode || got&fs.ModeSetgid != inherited {
				t.Errorf("%s: %v, want %v", path, got, mode)
			}
		}
	}
	if got := modeOf(t, top).Perm(); got != 0o755 {
		t.Errorf("a folder that was there before: %v", got)
	}
	if err := Make(filepath.Join(top, "owner"), 0o777); err != nil || modeOf(t, filepath.Join(top, "owner")).Perm() != 0o700 {
		t.Errorf("a folder that was there before was changed: %v", err)
	}
	file := filepath.Join(top, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Make(filepath.Join(file, "below"), 0o700); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("below a file: %v", err)
	}
}

func modeOf(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode()
}
