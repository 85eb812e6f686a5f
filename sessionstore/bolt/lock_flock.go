//go:build unix && !solaris && !aix && !android

package bolt

import (
	"errors"
	"os"
	"syscall"
)

// tryLock takes the lock that bbolt takes, which belongs to this descriptor, if
// it is free.
func tryLock(fd *os.File) (bool, error) { return flock(fd, syscall.LOCK_EX) }

// unlock gives the lock back. Closing does not, as long as the file is mapped.
func unlock(fd *os.File) { _, _ = flock(fd, syscall.LOCK_UN) }

func flock(fd *os.File, how int) (bool, error) {
	for {
		err := syscall.Flock(int(fd.Fd()), how|syscall.LOCK_NB)
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, syscall.EWOULDBLOCK):
			return false, nil
		case !errors.Is(err, syscall.EINTR):
			return false, err
		}
	}
}

// Held reports whether the file is open for writing at this moment, by another
// process or by a [Store] in this one. It changes nothing and holds nothing;
// where it cannot tell, as on systems without flock, it reports false.
func Held(path string) bool {
	if !regular(path) {
		return false
	}
	fd, err := os.Open(path)
	if err != nil {
		return false
	}
	defer fd.Close() // and with it the lock
	free, err := flock(fd, syscall.LOCK_SH)
	return err == nil && !free
}
