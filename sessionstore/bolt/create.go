package bolt

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	bbolt "go.etcd.io/bbolt"

	"github.com/caddy-session/caddy-session/internal/folder"
)

// fileMode is the mode of new files.
const fileMode fs.FileMode = 0o600

// create makes a file without sessions under path, if there is none. Others see the whole file or
// none, even when the process is killed.
func create(path string) error {
	if err := folder.Make(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	temp, err := newTemp(path, fileMode)
	if err != nil {
		return err
	}
	defer os.Remove(temp)
	if err := initialize(temp); err != nil {
		return err
	}
	if err := place(temp, path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return folder.Sync(filepath.Dir(path))
}

// initialize makes an empty file one without sessions.
func initialize(path string) error {
	db, err := bbolt.Open(path, fileMode, nil)
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		info, err := tx.CreateBucket(infoBucket)
		if err != nil {
			return err
		}
		if _, err := tx.CreateBucket(sessionsBucket); err != nil {
			return err
		}
		return info.Put(formatKey, []byte(format))
	})
	return errors.Join(err, db.Close())
}

// replaceEmpty replaces an empty file, which is locked, by one without sessions, and closes it.
func replaceEmpty(path string, fd *os.File, old fs.FileInfo) error {
	defer fd.Close()
	path, err := filepath.EvalSymlinks(path) // the file is replaced, not a link to it
	if err != nil {
		return err
	}
	temp, err := newTemp(path, old.Mode().Perm())
	if err != nil {
		return err
	}
	defer os.Remove(temp)
	if err := initialize(temp); err != nil {
		return err
	}
	if err := sameOwner(temp, old); err != nil {
		return err
	}
	if runtime.GOOS == "windows" {
		_ = fd.Close() // an open file cannot be replaced on Windows
	}
	if err := os.Rename(temp, path); err != nil {
		return err
	}
	return folder.Sync(filepath.Dir(path))
}

// place renames temp to path, which must not exist.
func place(temp, path string) error {
	err := os.Link(temp, path)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	// The file system has no hard links. Another process at the same point may replace our file.
	if _, err := os.Lstat(path); err == nil {
		return fs.ErrExist
	}
	return os.Rename(temp, path)
}

// newTemp creates an empty file beside path.
func newTemp(path string, mode fs.FileMode) (string, error) {
	fd, err := os.CreateTemp(filepath.Dir(path), tempPrefix(path)+"*"+tempSuffix)
	if err != nil {
		return "", err
	}
	return fd.Name(), errors.Join(fd.Chmod(mode), fd.Close())
}

const tempSuffix = ".tmp"

func tempPrefix(path string) string { return "." + filepath.Base(path) + "." }

// removeLeftovers removes temporary files of killed processes. The file must be locked, so that no
// other process is writing one.
func removeLeftovers(path string) {
	dir := filepath.Dir(path)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, entry := range entries {
		name, ours := strings.CutPrefix(entry.Name(), tempPrefix(path))
		number, temp := strings.CutSuffix(name, tempSuffix)
		if ours && temp && strings.Trim(number, "0123456789") == "" && entry.Type().IsRegular() {
			_ = os.Remove(filepath.Join(dir, entry.Name()))
		}
	}
}
