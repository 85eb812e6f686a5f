//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package folder

import (
	"os"
	"path/filepath"
	"testing"
)

func TestSharedLocks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	open := func() *os.File {
		file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = file.Close() })
		return file
	}
	one, two, three := open(), open(), open()
	for _, file := range []*os.File{one, two} {
		if free, err := TryShare(file); !free || err != nil {
			t.Errorf("shared: %t, %v", free, err)
		}
	}
	if free, err := TryLock(three); free || err != nil {
		t.Errorf("alone, while others share it: %t, %v", free, err)
	}
	Unlock(one)
	Unlock(two)
	if free, err := TryLock(three); !free || err != nil {
		t.Errorf("alone: %t, %v", free, err)
	}
	if free, err := TryShare(one); free || err != nil {
		t.Errorf("shared, while another has it alone: %t, %v", free, err)
	}
}

// A folder such as PHP's in Debian can be written and not be listed.
func TestWritable(t *testing.T) {
	dir := t.TempDir()
	for mode, want := range map[os.FileMode][2]bool{0o700: {true, true}, 0o300: {false, true}, 0o500: {false, false}} {
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		if os.Geteuid() == 0 {
			want = [2]bool{true, true} // root may all
		}
		if got := [2]bool{Usable(dir) == nil, Writable(dir) == nil}; got != want {
			t.Errorf("%v: %v, want %v", mode, got, want)
		}
	}
}
