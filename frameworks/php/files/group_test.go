//go:build linux

package files

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// group is the variable with the folder of a test that runs as a stranger.
const group = "SESSION_TEST_GROUP"

// needRoot skips a test that only root can run. With CI=true that is a failure.
func needRoot(t *testing.T) {
	t.Helper()
	switch {
	case os.Geteuid() == 0:
	case os.Getenv("CI") == "true":
		t.Fatal("only root can become another user: run this as root")
	default:
		t.Skip("only root can become another user")
	}
}

// stranger is the number of a user and of a group that are not root's.
const stranger = 4321

// runAs runs a test again as a stranger, in a folder of this mode that belongs to root and to the
// stranger's group.
func runAs(t *testing.T, dir string, mode os.FileMode, test string) {
	t.Helper()
	if err := errors.Join(os.Chown(dir, 0, stranger), syscall.Chmod(dir, uint32(mode))); err != nil {
		t.Fatal(err)
	}
	bin := inMemory(t)
	program := filepath.Join(bin, "test")
	text, err := os.ReadFile(os.Args[0])
	if err == nil {
		err = errors.Join(os.WriteFile(program, text, 0o700), os.Chown(bin, stranger, stranger), os.Chown(program, stranger, stranger))
	}
	if err != nil {
		t.Fatal(err)
	}
	child := exec.CommandContext(t.Context(), program, "-test.run=^"+test+"$")
	child.Dir, child.Env = bin, append(os.Environ(), group+"="+dir)
	child.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: stranger, Gid: stranger}}
	if out, err := child.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// TestGroup is a process that may write the files, by their group, and does not own them.
func TestGroup(t *testing.T) {
	if dir := os.Getenv(group); dir != "" {
		s := Open(Options{Dir: dir, UID: -1, Lifetime: time.Hour})
		defer s.Close()
		if err := s.Touch(t.Context(), "sess_abc", []byte("a|i:1;"), time.Hour); err != nil {
			t.Error(err)
		}
		if e, err := s.Get(t.Context(), "sess_abc"); err != nil || e.TTL < 59*time.Minute {
			t.Errorf("%v, %v", e.TTL, err)
		}
		save(t, s, "sess_abc", []byte("a|i:1;"), []byte("a|i:2;"), time.Hour)
		return
	}
	needRoot(t)
	dir := inMemory(t)
	path := filepath.Join(dir, "sess_abc")
	if err := errors.Join(os.WriteFile(path, []byte("a|i:1;"), 0o600), os.Chmod(path, 0o660), os.Chown(path, 0, stranger),
		os.Chtimes(path, time.Time{}, time.Now().Add(-50*time.Minute))); err != nil {
		t.Fatal(err)
	}
	runAs(t, dir, 0o770, "TestGroup")
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if is := info.Sys().(*syscall.Stat_t); is.Uid != 0 || is.Gid != stranger || info.Mode() != 0o660 {
		t.Errorf("it belongs to %d, %d, %v", is.Uid, is.Gid, info.Mode())
	}
}

// TestFolderThatCannotBeRead is a process in Debian's folder, where each may make files and nobody
// may list them (1733).
func TestFolderThatCannotBeRead(t *testing.T) {
	if dir := os.Getenv(group); dir != "" {
		s := Open(Options{Dir: dir, UID: -1, Lifetime: time.Hour})
		defer s.Close()
		save(t, s, "sess_new", nil, []byte("a|i:1;"), time.Hour)
		save(t, s, "sess_new", []byte("a|i:1;"), []byte("a|i:2;"), time.Hour)
		if e, err := s.CompareAndDelete(t.Context(), "sess_new", []byte("a|i:2;")); err != nil || e.Found() {
			t.Errorf("%v, %v", e, err)
		}
		if e, err := s.Get(t.Context(), "sess_planted"); err == nil {
			t.Errorf("the session of another user is %q", e.Value)
		}
		return
	}
	needRoot(t)
	dir := inMemory(t)
	planted := filepath.Join(dir, "sess_planted")
	if err := errors.Join(os.WriteFile(planted, []byte("user|s:5:\"admin\";"), 0o600), os.Chmod(planted, 0o666), os.Chown(planted, stranger+1, -1)); err != nil {
		t.Fatal(err)
	}
	runAs(t, dir, 0o1733, "TestFolderThatCannotBeRead")
	// Nor is it read by root, as long as owner does not say whose sessions count.
	s := Open(Options{Dir: dir, UID: -1, Lifetime: time.Hour})
	defer s.Close()
	if e, err := s.Get(t.Context(), "sess_planted"); err == nil {
		t.Errorf("for root, the session of another user is %q", e.Value)
	}
}
