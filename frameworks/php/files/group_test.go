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

const group = "SESSION_TEST_GROUP"

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
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user")
	}
	const uid = 4321
	dir := inMemory(t)
	program, path := filepath.Join(dir, "test"), filepath.Join(dir, "sess_abc")
	text, err := os.ReadFile(os.Args[0])
	if err == nil {
		err = errors.Join(os.WriteFile(program, text, 0o700), os.WriteFile(path, []byte("a|i:1;"), 0o600),
			os.Chmod(dir, 0o770), os.Chmod(program, 0o750), os.Chmod(path, 0o660),
			os.Chown(dir, 0, uid), os.Chown(program, 0, uid), os.Chown(path, 0, uid), os.Chtimes(path, time.Time{}, time.Now().Add(-50*time.Minute)))
	}
	if err != nil {
		t.Fatal(err)
	}
	child := exec.CommandContext(t.Context(), program, "-test.run=^TestGroup$")
	child.Dir, child.Env = dir, append(os.Environ(), group+"="+dir)
	child.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	if out, err := child.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if is := info.Sys().(*syscall.Stat_t); is.Uid != 0 || is.Gid != uid || info.Mode() != 0o660 {
		t.Errorf("it belongs to %d, %d, %v", is.Uid, is.Gid, info.Mode())
	}
}
