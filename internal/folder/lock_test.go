//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly || windows

package folder

import (
	"os"
	"path/filepath"
	"testing"
)

func TestLocks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	open := func() *os.File {
		file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = file.Close() })
		return file
	}
	one, two := open(), open()
	if free, err := TryLock(one); !free || err != nil {
		t.Errorf("the first: %t, %v", free, err)
	}
	if free, err := TryLock(two); free || err != nil {
		t.Errorf("the second: %t, %v", free, err)
	}
	Unlock(one)
	if free, err := TryLock(two); !free || err != nil {
		t.Errorf("the second afterwards: %t, %v", free, err)
	}
	Unlock(two)
	Unlock(two) // unlocking without a lock has no effect

	if free, err := TryLock(one); !free || err != nil {
		t.Errorf("the first again: %t, %v", free, err)
	}
	_ = one.Close()
	if free, err := TryLock(two); !free || err != nil {
		t.Errorf("the file is closed, and the lock: %t, %v", free, err)
	}
	Unlock(two)
	_ = two.Close()
	if free, err := TryLock(two); free || err == nil {
		t.Error("a closed file was locked")
	}
}
