//go:build !linux && !darwin && !freebsd && !netbsd && !openbsd && !dragonfly && !windows

package folder

import (
	"errors"
	"fmt"
	"os"
)

// TryLock returns an error: this system has no such locks.
func TryLock(*os.File) (bool, error) {
	return false, fmt.Errorf("locking files on this system: %w", errors.ErrUnsupported)
}

// Unlock does nothing on this system.
func Unlock(*os.File) {}
