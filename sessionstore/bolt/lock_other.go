//go:build !unix || solaris || aix || android

package bolt

import "os"

// tryLock leaves locking to bbolt, whose locks here belong to the process or
// cannot be taken twice.
func tryLock(*os.File) (bool, error) { return true, nil }

func unlock(*os.File) {}

// Held reports whether the file is open for writing at this moment. On this
// system it cannot tell and reports false.
func Held(string) bool { return false }
