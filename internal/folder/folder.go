// Package folder creates folders durably, and checks that a file or folder in use is still in
// place.
package folder

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// Make creates a folder and its parents unless they exist, and syncs them to disk. It has the mode,
// whatever the umask is. Parents have it too, but only their owner may write to them.
func Make(folder string, mode fs.FileMode) error {
	if _, err := os.Stat(folder); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	parent := filepath.Dir(folder)
	if err := Make(parent, mode&^0o022); err != nil {
		return err
	}
	err := os.Mkdir(folder, mode)
	if err == nil {
		err = allow(folder, mode)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return Sync(parent)
}

// allow gives a new folder what it lacks of a mode. It keeps the setgid bit, which it may have from
// its parent.
func allow(folder string, mode fs.FileMode) error {
	info, err := os.Stat(folder)
	if err != nil || mode&^info.Mode() == 0 {
		return err
	}
	return os.Chmod(folder, mode|info.Mode()&(fs.ModePerm|fs.ModeSetgid))
}

// Sync writes the directory entries of a folder to disk.
func Sync(folder string) error {
	if runtime.GOOS == "windows" {
		return nil // directories cannot be synced there, and need not be
	}
	fd, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(fd.Sync(), fd.Close())
}
