//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

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
	type lock func(*os.File) (bool, error)
	for name, tt := range map[string]struct {
		first, second lock
		both          bool
	}{
		"two alone":        {TryLock, TryLock, false},
		"alone and shared": {TryLock, TryShare, false},
		"shared and alone": {TryShare, TryLock, false},
		"two share":        {TryShare, TryShare, true},
	} {
		one, two := open(), open()
		if free, err := tt.first(one); !free || err != nil {
			t.Errorf("%s: the first: %t, %v", name, free, err)
		}
		if free, err := tt.second(two); free != tt.both || err != nil {
			t.Errorf("%s: the second: %t, %v", name, free, err)
		}
		Unlock(one)
		if free, err := tt.second(two); !free || err != nil {
			t.Errorf("%s: the second afterwards: %t, %v", name, free, err)
		}
		Unlock(two)
		Unlock(two) // nothing is left to give back

		if free, err := TryLock(one); !free || err != nil {
			t.Errorf("%s: the first again: %t, %v", name, free, err)
		}
		_ = one.Close()
		if free, err := TryLock(two); !free || err != nil {
			t.Errorf("%s: the file is closed, and the lock: %t, %v", name, free, err)
		}
		Unlock(two)
		_ = two.Close()
		if free, err := TryLock(two); free || err == nil {
			t.Errorf("%s: a file that is closed was locked", name)
		}
	}
}
