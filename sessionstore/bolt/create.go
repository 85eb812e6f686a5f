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

// create makes an empty file under path, unless there is one. Whoever looks
// there, and whenever the process is killed, sees the whole file or none.
func create(path string, mode fs.FileMode) error {
	if err := folder.Make(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	temp, err := newTemp(path, mode)
	if err != nil {
		return err
	}
	defer os.Remove(temp)
	if err := initialize(temp, mode); err != nil {
		return err
	}
	if err := place(temp, path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return folder.Sync(filepath.Dir(path))
}

// initialize writes what every file of this package has.
func initialize(path string, mode fs.FileMode) error {
	db, err := bbolt.Open(path, mode, nil)
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

// replaceEmpty puts a file without sessions in the place of an empty one, which is locked, and closes it.
func replaceEmpty(path string, fd *os.File, old fs.FileInfo) error {
	defer fd.Close()
	path, err := filepath.EvalSymlinks(path) // the file itself is replaced, not a link to it
	if err != nil {
		return err
	}
	temp, err := newTemp(path, old.Mode().Perm())
	if err != nil {
		return err
	}
	defer os.Remove(temp)
	if err := initialize(temp, old.Mode().Perm()); err != nil {
		return err
	}
	if err := sameOwner(temp, old); err != nil {
		return err
	}
	if runtime.GOOS == "windows" {
		_ = fd.Close() // an open file cannot be replaced there
	}
	if err := os.Rename(temp, path); err != nil {
		return err
	}
	return folder.Sync(filepath.Dir(path))
}

// place moves temp to path, where nothing may be.
func place(temp, path string) error {
	err := os.Link(temp, path)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	// A file system without links. Another process that is here too may put its
	// file in the place of ours; nothing better can be had there.
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

// removeLeftovers removes what processes that were killed have left beside path.
// The file must be locked: so nobody is at work on another.
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
