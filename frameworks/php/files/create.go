package files

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/caddy-session/caddy-session/internal/folder"
)

// temporary begins the names of unfinished files. No id has a dot. What cleans up PHP's folder
// deletes those that were left when a process was killed, too.
const temporary = Prefix + "."

var errNoFolder = errors.New("there is no such folder; PHP makes neither its folder nor the levels in it: see mod_files.sh in PHP's sources")

// create makes a new file, which appears with its content. It returns an error that is
// [fs.ErrExist] if there is one.
func (s *Store) create(path string, value []byte, ttl time.Duration) error {
	temp := filepath.Join(filepath.Dir(path), temporary+rand.Text())
	err := s.writeTemp(temp, value, ttl)
	if errors.Is(err, fs.ErrNotExist) {
		return errNoFolder
	}
	if err == nil {
		err = place(temp, path)
	}
	_ = os.Remove(temp)
	if err == nil {
		err = syncFolder(path)
	}
	return err
}

// syncFolder writes the folder's entry of a file to disk, if the folder may be read: Debian's may
// be written only.
func syncFolder(path string) error {
	if err := folder.Sync(filepath.Dir(path)); !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return nil
}

// place gives a file its name, unless there is one of that name.
func place(temp, path string) error {
	err := os.Link(temp, path)
	if err == nil || !folder.HasNoLinks(err) {
		return err
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return fs.ErrExist
	}
	return os.Rename(temp, path)
}

func (s *Store) writeTemp(path string, value []byte, ttl time.Duration) error {
	mode := fs.FileMode(s.mode.Load())
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|folder.OpenFlags, mode)
	if err != nil {
		return err
	}
	if mode != DefaultFileMode {
		err = file.Chmod(mode) // whatever the umask is
	}
	if err == nil {
		_, err = file.Write(value)
	}
	if err == nil {
		err = s.stamp(path, ttl)
	}
	if err == nil && s.o.UID >= 0 && s.o.UID != os.Geteuid() {
		err = file.Chown(s.o.UID, -1)
	}
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}
