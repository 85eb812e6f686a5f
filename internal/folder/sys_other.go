//go:build !linux && !darwin && !freebsd && !netbsd && !openbsd && !dragonfly

package folder

import (
	"errors"
	"fmt"
	"os"
)

// OpenFlags is empty on this system.
const OpenFlags = 0

// TryLock returns an error: this system has no such locks, so no store can write.
func TryLock(*os.File) (bool, error) {
	return false, fmt.Errorf("locking files on this system: %w", errors.ErrUnsupported)
}

// Unlock does nothing on this system.
func Unlock(*os.File) {}

// HasNoLinks reports whether err says that the file system has no hard links.
func HasNoLinks(error) bool { return false }

// access cannot check this on this system.
func access(string) error { return nil }

// CanWrite cannot check this on this system.
func CanWrite(string) error { return nil }
