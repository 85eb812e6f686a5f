package cachelib

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/caddy-session/caddy-session/internal/folder"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// found is an open file. While it is open, no other file gets its inode number, so stays can tell
// whether the name still leads to it.
type found struct {
	content
	file *os.File
	info fs.FileInfo
}

// find opens and reads a file; flag is os.O_RDONLY or os.O_RDWR. It returns nil if there is no
// file.
func find(path string, flag int) (*found, error) {
	file, err := os.OpenFile(path, flag|folder.OpenFlags, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	f := &found{file: file}
	if f.info, err = file.Stat(); err == nil {
		f.content, err = read(file, f.info)
	}
	if err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	return f, nil
}

// read reads at most as much as a session can have.
func read(file *os.File, info fs.FileInfo) (content, error) {
	switch {
	case !info.Mode().IsRegular():
		return content{}, errForeign
	case info.Size() > maxFile:
		return content{}, errTooLarge
	}
	raw := make([]byte, info.Size())
	if _, err := io.ReadFull(file, raw); err != nil {
		return content{}, err
	}
	return parse(raw)
}

func (f *found) close() {
	if f != nil {
		_ = f.file.Close()
	}
}

// stays reports whether path still leads to this file, or to none if f is nil.
func (f *found) stays(path string) bool {
	info, err := os.Lstat(path)
	if f == nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	return err == nil && os.SameFile(f.info, info)
}

// live returns the entry of a file: the zero Entry if f is nil or has expired.
func (s *Store) live(f *found) sessionstore.Entry {
	if f == nil {
		return sessionstore.Entry{}
	}
	return s.entry(f.content)
}

// Get implements [sessionstore.Store].
func (s *Store) Get(ctx context.Context, key string) (sessionstore.Entry, error) {
	return s.do(ctx, key, false, func(path string) (sessionstore.Entry, error) {
		f, err := find(path, os.O_RDONLY)
		if err != nil {
			return sessionstore.Entry{}, err
		}
		defer f.close()
		return s.live(f), nil
	})
}

// CompareAndSet implements [sessionstore.Store].
func (s *Store) CompareAndSet(ctx context.Context, key string, old, value []byte, ttl time.Duration) (sessionstore.Entry, error) {
	switch {
	case len(value) > sessionstore.MaxValue:
		return sessionstore.Entry{}, s.unavailable(errSize)
	case !isPickle(value):
		return sessionstore.Entry{}, s.unavailable(errValue)
	}
	return s.do(ctx, key, true, func(path string) (sessionstore.Entry, error) {
		w := writing{store: s, path: path, value: value, ttl: ttl}
		defer w.discard()
		for {
			e, again, err := w.try(ctx, old)
			if !again {
				return e, err
			}
		}
	})
}

// try compares and sets once. again says that the file was replaced meanwhile.
func (w *writing) try(ctx context.Context, old []byte) (e sessionstore.Entry, again bool, err error) {
	f, err := find(w.path, os.O_RDONLY)
	if err != nil {
		return sessionstore.Entry{}, false, err
	}
	defer f.close()
	switch e := w.store.live(f); {
	case e.Found() && old != nil && bytes.Equal(e.Value, old), !e.Found() && old == nil:
	case e.Found() && bytes.Equal(e.Value, w.value):
		// It was saved before, and the answer was lost: before the folder was synced, perhaps.
		return sessionstore.Entry{}, false, folder.Sync(w.store.o.Dir)
	default:
		return e, false, sessionstore.ErrConflict
	}
	placed, err := w.replace(ctx, f)
	return sessionstore.Entry{}, !placed && err == nil, err
}

// CompareAndDelete implements [sessionstore.Store].
func (s *Store) CompareAndDelete(ctx context.Context, key string, old []byte) (sessionstore.Entry, error) {
	return s.do(ctx, key, false, func(path string) (sessionstore.Entry, error) {
		for {
			e, again, err := s.delete(ctx, path, old)
			if !again {
				return e, err
			}
		}
	})
}

func (s *Store) delete(ctx context.Context, path string, old []byte) (e sessionstore.Entry, again bool, err error) {
	f, err := find(path, os.O_RDONLY)
	if err != nil {
		return sessionstore.Entry{}, false, err
	}
	defer f.close()
	switch e := s.live(f); {
	case !e.Found():
		return sessionstore.Entry{}, false, s.syncNames() // a retry: the first answer was lost
	case !bytes.Equal(e.Value, old):
		return e, false, sessionstore.ErrConflict
	}
	release, err := s.lock(ctx)
	if err != nil {
		return sessionstore.Entry{}, false, err
	}
	if !f.stays(path) {
		release()
		return sessionstore.Entry{}, true, nil
	}
	err = os.Remove(path)
	if err == nil {
		s.count(-1)
	}
	release()
	if err == nil {
		err = s.syncNames()
	}
	return sessionstore.Entry{}, false, err
}

// syncNames syncs the folder to disk, if it exists.
func (s *Store) syncNames() error {
	if err := folder.Sync(s.o.Dir); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Touch implements [sessionstore.Store]. It overwrites the expiry in place: if an app replaces the
// file meanwhile, the app's new file stays as it is. A session that never expires is left
// unchanged.
func (s *Store) Touch(ctx context.Context, key string, old []byte, ttl time.Duration) error {
	_, err := s.do(ctx, key, false, func(path string) (sessionstore.Entry, error) {
		f, err := find(path, os.O_RDWR)
		if err != nil {
			return sessionstore.Entry{}, err
		}
		defer f.close()
		if e := s.live(f); !e.Found() || !bytes.Equal(e.Value, old) || f.expiry == never {
			return sessionstore.Entry{}, nil
		}
		if expiry, fits := f.expiryBytes(s.expiry(ttl)); fits {
			_, err = f.file.WriteAt(expiry, int64(f.at))
			return sessionstore.Entry{}, err
		}
		w := writing{store: s, path: path, value: old, ttl: ttl}
		defer w.discard()
		_, err = w.replace(ctx, f)
		return sessionstore.Entry{}, err
	})
	return err
}
