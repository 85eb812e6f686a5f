package sqlite_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/sql"
)

// A connection that was opened while the file was read-only stays so. The store works again once
// the file can be written, and not only when the connection is old enough to be closed.
func TestReadOnlyForAWhile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.db")
	other := open(t, path, sql.Options{CreateTable: true}) // another process, say
	if _, err := other.CompareAndSet(t.Context(), "k", nil, []byte("one"), time.Hour); err != nil {
		t.Fatal(err)
	}
	writable := readOnly(t, path)
	s := open(t, path, sql.Options{})
	if e, err := s.Get(t.Context(), "k"); err != nil || string(e.Value) != "one" {
		t.Fatalf("a read: %q, %v", e.Value, err)
	}
	if _, err := s.CompareAndSet(t.Context(), "k", []byte("one"), []byte("two"), time.Hour); !errors.Is(err, sessionstore.ErrUnavailable) {
		t.Fatalf("a change of a read-only file: %v", err)
	}
	writable()
	var err error
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if _, err = s.CompareAndSet(t.Context(), "k", []byte("one"), []byte("two"), time.Hour); err == nil {
			return
		}
	}
	t.Errorf("still %v", err)
}

// readOnly makes a file read-only until writable is called. Root may write everywhere but on some
// file systems.
func readOnly(t *testing.T, path string) (writable func()) {
	t.Helper()
	check := func(err error) {
		t.Helper()
		if errors.Is(err, syscall.EPERM) {
			t.Skip("mounting: ", err)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if os.Geteuid() != 0 {
		check(os.Chmod(path, 0o400))
		return func() { check(os.Chmod(path, 0o600)) }
	}
	dir := filepath.Dir(path)
	remount := func(flags uintptr) error {
		return syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_BIND|flags, "")
	}
	check(syscall.Mount(dir, dir, "", syscall.MS_BIND, ""))
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	check(remount(syscall.MS_RDONLY))
	return func() { check(remount(0)) }
}
