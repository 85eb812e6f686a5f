//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package folder

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// OpenFlags make opening a file fail on a symbolic link, and not block on a pipe.
const OpenFlags = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

// TryLock tries to lock an open file exclusively, without waiting. Closing the file releases the
// lock unless the file is memory-mapped.
func TryLock(file *os.File) (bool, error) { return flock(file, syscall.LOCK_EX) }

// TryShare is [TryLock] for a lock that others may share.
func TryShare(file *os.File) (bool, error) { return flock(file, syscall.LOCK_SH) }

// Unlock releases the lock.
func Unlock(file *os.File) { _, _ = flock(file, syscall.LOCK_UN) }

func flock(file *os.File, how int) (bool, error) {
	_, err := Again(func() (int, error) { return 0, syscall.Flock(int(file.Fd()), how|syscall.LOCK_NB) })
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return false, nil
	}
	if err != nil {
		err = &fs.PathError{Op: "flock", Path: "the file", Err: err}
	}
	return err == nil, err
}

// HasNoLinks reports whether err says that the file system has no hard links.
func HasNoLinks(err error) bool {
	return errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOTSUP) || errors.Is(err, syscall.EOPNOTSUPP) || errors.Is(err, syscall.ENOSYS)
}

// Again repeats a system call while signals interrupt it.
func Again(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if !errors.Is(err, syscall.EINTR) {
			return n, err
		}
	}
}

// access returns an error if this process cannot create and delete files in a folder, or if lists,
// not read it.
func access(dir string, lists bool) error {
	if lists {
		return unix.Access(dir, unix.R_OK|unix.W_OK|unix.X_OK)
	}
	return unix.Access(dir, unix.W_OK|unix.X_OK)
}

// CanWrite returns an error if this process cannot read and write a file. It does not open the
// file.
func CanWrite(path string) error {
	if err := unix.Access(path, unix.R_OK|unix.W_OK); err != nil {
		return &fs.PathError{Op: "writing to", Path: path, Err: err}
	}
	return nil
}
