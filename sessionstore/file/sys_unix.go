//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package file

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// openFlags follow no link that was put in the place of a session, and do not wait for the other end of a pipe.
const openFlags = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

// readFile reads a file into buf, or into a larger one, with as few system calls as can be: os would ask for the file's
// kind, and whether it can be polled.
func readFile(path string, buf []byte) ([]byte, error) {
	fd, err := again(func() (int, error) {
		return syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC|openFlags, 0)
	})
	if err != nil {
		return nil, err
	}
	defer syscall.Close(fd)
	n := 0
	for {
		k, err := again(func() (int, error) { return syscall.Read(fd, buf[n:]) })
		if err != nil {
			return nil, err
		}
		// Less than was asked for is the end of a file. Where it is not, what was read does not parse and is read again.
		if n += k; n < len(buf) {
			return buf[:n], nil
		}
		if n > maxFile {
			return nil, errForeign
		}
		buf = append(buf[:n:n], make([]byte, min(n, maxFile+1-n))...)
	}
}

func again(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if !errors.Is(err, syscall.EINTR) {
			return n, err
		}
	}
}

// tryLock takes the lock on an open file, which ends when that is closed, if it is free.
func tryLock(file *os.File) (bool, error) {
	_, err := again(func() (int, error) { return 0, syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) })
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return false, nil
	}
	if err != nil {
		err = &fs.PathError{Op: "flock", Path: "the file", Err: err}
	}
	return err == nil, err
}

// hasNoLinks reports whether a link could not be made because the file system has none.
func hasNoLinks(err error) bool {
	return errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOTSUP) || errors.Is(err, syscall.EOPNOTSUPP) || errors.Is(err, syscall.ENOSYS)
}
