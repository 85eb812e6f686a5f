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

// Make creates a folder and its parents unless they exist, and syncs them to disk.
func Make(folder string, mode fs.FileMode) error {
	if _, err := os.Stat(folder); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	parent := filepath.Dir(folder)
	if err := Make(parent, mode); err != nil {
		return err
	}
	if err := os.Mkdir(folder, mode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return Sync(parent)
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
