//go:build unix && !solaris && !aix && !android

package bolt

import (
	"os"

	"github.com/caddy-session/caddy-session/internal/folder"
)

// tryLock takes the lock that bbolt takes, which belongs to this descriptor, if
// it is free.
func tryLock(fd *os.File) (bool, error) { return folder.TryLock(fd) }

// unlock gives the lock back. Closing does not, as long as the file is mapped.
func unlock(fd *os.File) { folder.Unlock(fd) }

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
	free, err := folder.TryShare(fd)
	return err == nil && !free
}
