package file

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/caddy-session/caddy-session/internal/folder"
)

// tempPrefix begins the names of temporary files.
const tempPrefix = ".tmp-"

// write writes a temporary file to disk and moves it to path with place, so that others see the old
// record or the new one.
func (s *Store) write(path, key string, deadline int64, value []byte, place func(from, to string) error) error {
	temp, err := s.writeTemp(encode(key, deadline, value))
	if err != nil {
		return err
	}
	if err := place(temp, path); err != nil {
		_ = os.Remove(temp)
		return err
	}
	return s.syncNames()
}

// create writes a new file. It returns an error that is [fs.ErrExist] if there is one.
func (s *Store) create(ctx context.Context, path, key string, deadline int64, value []byte) error {
	if err := s.reserve(ctx); err != nil {
		return err
	}
	made := false
	defer func() { s.census.born(made) }()
	return s.write(path, key, deadline, value, func(from, to string) error {
		err := os.Link(from, to)
		if folder.HasNoLinks(err) {
			return errNoLinks
		}
		if err == nil {
			made = true
			err = os.Remove(from)
		}
		return err
	})
}

// writeTemp writes a temporary file with this content and returns its path.
func (s *Store) writeTemp(content []byte) (string, error) {
	var random [12]byte
	_, _ = rand.Read(random[:])
	path := filepath.Join(s.o.Dir, tempPrefix+hex.EncodeToString(random[:]))
	mode := fs.FileMode(s.mode.Load())
	seen := s.place.Seen() // before opening: another writer may be making the folder
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, fs.ErrNotExist) && !seen {
		if err := folder.Make(s.o.Dir, 0o700|mode&0o444>>2|mode&0o666); err != nil {
			return "", err
		}
		file, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	}
	if err != nil {
		return "", err
	}
	if mode != DefaultFileMode {
		err = file.Chmod(mode) // whatever the umask says
	}
	if err == nil {
		_, err = file.Write(content)
	}
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		_ = os.Remove(path)
		return "", err
	}
	return path, nil
}

// readAll reads a file into buf, or into a larger buffer.
func readAll(from io.Reader, buf []byte) ([]byte, error) {
	n := 0
	for {
		if n == len(buf) {
			if n > maxFile {
				return nil, errForeign
			}
			buf = append(buf[:n:n], make([]byte, min(max(n, 8<<10), maxFile+1-n))...)
		}
		k, err := from.Read(buf[n:])
		n += k
		if errors.Is(err, io.EOF) {
			return buf[:n], nil
		}
		if err != nil {
			return nil, err
		}
	}
}
