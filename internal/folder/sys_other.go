//go:build !linux && !darwin && !freebsd && !netbsd && !openbsd && !dragonfly

package folder

import (
	"errors"
	"fmt"
	"os"
)

// OpenFlags are none here.
const OpenFlags = 0

// TryLock cannot lock here, so that nothing can be changed.
func TryLock(*os.File) (bool, error) {
	return false, fmt.Errorf("locking files on this system: %w", errors.ErrUnsupported)
}

// Unlock has nothing to give back here.
func Unlock(*os.File) {}

// HasNoLinks reports whether a link could not be made because the file system has none.
func HasNoLinks(error) bool { return false }

// access cannot tell here.
func access(string) error { return nil }

// CanWrite cannot tell here.
func CanWrite(string) error { return nil }
