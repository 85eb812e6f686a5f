//go:build !linux && !darwin && !freebsd && !netbsd && !openbsd && !dragonfly

package folder

import "os"

// OpenFlags is empty on this system.
const OpenFlags = 0

// TryShare is [TryLock].
func TryShare(file *os.File) (bool, error) { return TryLock(file) }

// HasNoLinks reports whether err says that the file system has no hard links.
func HasNoLinks(error) bool { return false }

// access cannot check this on this system.
func access(string, bool) error { return nil }

// CanWrite cannot check this on this system.
func CanWrite(string) error { return nil }
