//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package folder

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// OpenFlags follow no link that was put in the place of a file, and do not wait for the other end of a pipe.
const OpenFlags = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

// TryLock takes the lock on an open file, which ends when that is closed and is not mapped, if it is free.
func TryLock(file *os.File) (bool, error) { return flock(file, syscall.LOCK_EX) }

// Unlock gives the lock back. Closing the file does not, as long as it is mapped into memory.
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

// HasNoLinks reports whether a link could not be made because the file system has none.
func HasNoLinks(err error) bool {
	return errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOTSUP) || errors.Is(err, syscall.EOPNOTSUPP) || errors.Is(err, syscall.ENOSYS)
}

// Again repeats a system call that signals interrupt.
func Again(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if !errors.Is(err, syscall.EINTR) {
			return n, err
		}
	}
}

// access returns an error if files in a folder cannot be read, made and removed.
func access(dir string) error { return unix.Access(dir, unix.R_OK|unix.W_OK|unix.X_OK) }

// CanWrite returns what keeps this process from reading and writing a file. It does not open it.
func CanWrite(path string) error {
	if err := unix.Access(path, unix.R_OK|unix.W_OK); err != nil {
		return &fs.PathError{Op: "writing to", Path: path, Err: err}
	}
	return nil
}
