package faults

import (
	"os"
	"syscall"
	"testing"
)

// mounted mounts a file system in memory at path. The returned function unmounts it like a disk
// that is unplugged, and mounts another one if told to.
func mounted(t *testing.T, path string, another bool) (away, back func() error) {
	source := t.TempDir()
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	memory := func(at string) error { return syscall.Mount("none", at, "tmpfs", 0, "size=64m") }
	unmount := func(at string) error { return syscall.Unmount(at, syscall.MNT_DETACH) }
	back = func() error {
		if another {
			_ = unmount(path)
		}
		return syscall.Mount(source, path, "", syscall.MS_BIND, "")
	}
	err := memory(source)
	if err == nil {
		err = back()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = unmount(path)
		_ = unmount(source)
	})
	return func() error {
		if err := unmount(path); err != nil || !another {
			return err
		}
		return memory(path)
	}, back
}

// readonly makes a folder read-only, like a file system after a disk error.
func readonly(t *testing.T, path string) (end func() error) {
	remount := func(flags uintptr) error {
		return syscall.Mount("", path, "", syscall.MS_REMOUNT|syscall.MS_BIND|flags, "")
	}
	err := syscall.Mount(path, path, "", syscall.MS_BIND, "")
	if err == nil {
		t.Cleanup(func() { _ = syscall.Unmount(path, syscall.MNT_DETACH) })
		err = remount(syscall.MS_RDONLY)
	}
	if err != nil {
		t.Fatal(err)
	}
	return func() error { return remount(0) }
}
