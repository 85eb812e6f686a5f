// Package folder makes folders, and what happens in them, as durable as files are.
package folder

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// Make makes a folder and those that it is in, unless they are there.
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

// Sync has the names in a folder on disk.
func Sync(folder string) error {
	if runtime.GOOS == "windows" {
		return nil // cannot be done there, and need not be
	}
	fd, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(fd.Sync(), fd.Close())
}
