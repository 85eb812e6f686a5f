package folder

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/windows"
)

// lockedByte is the byte that is locked, beyond the end of any file: Windows keeps others from
// reading locked bytes. It is not the one that bbolt locks, which would refuse a second lock.
var lockedByte = windows.Overlapped{OffsetHigh: 1 << 30}

// TryLock tries to lock an open file exclusively, without waiting. Closing the file releases the
// lock.
func TryLock(file *os.File) (bool, error) {
	const how = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	at := lockedByte
	err := windows.LockFileEx(windows.Handle(file.Fd()), how, 0, 1, 0, &at)
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return false, nil
	}
	if err != nil {
		err = &fs.PathError{Op: "LockFileEx", Path: "the file", Err: err}
	}
	return err == nil, err
}

// Unlock releases the lock.
func Unlock(file *os.File) {
	at := lockedByte
	_ = windows.UnlockFileEx(windows.Handle(file.Fd()), 0, 1, 0, &at)
}
