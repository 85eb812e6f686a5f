package files

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/caddy-session/caddy-session/internal/folder"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// Get implements [sessionstore.Store]. While a PHP script holds the lock, it returns what is saved,
// which is from before that script.
func (s *Store) Get(ctx context.Context, key string) (sessionstore.Entry, error) {
	return s.do(ctx, key, func(path string) (sessionstore.Entry, error) {
		h, err := s.look(ctx, path)
		if h == nil || err != nil {
			return sessionstore.Entry{}, err
		}
		defer h.release()
		return s.entry(h), nil
	})
}

// CompareAndSet implements [sessionstore.Store]. It waits for PHP's lock until the context ends.
func (s *Store) CompareAndSet(ctx context.Context, key string, old, value []byte, ttl time.Duration) (sessionstore.Entry, error) {
	if len(value) > sessionstore.MaxValue {
		return sessionstore.Entry{}, s.unavailable(errSize)
	}
	return s.do(ctx, key, func(path string) (sessionstore.Entry, error) {
		for {
			found, err := s.set(ctx, path, old, value, ttl)
			if !errors.Is(err, fs.ErrExist) {
				return found, err
			} // another process has just created it
		}
	})
}

func (s *Store) set(ctx context.Context, path string, old, value []byte, ttl time.Duration) (sessionstore.Entry, error) {
	h, err := s.change(ctx, path)
	if err != nil {
		return sessionstore.Entry{}, err
	}
	if h == nil {
		if old != nil {
			return sessionstore.Entry{}, sessionstore.ErrConflict
		}
		return sessionstore.Entry{}, s.create(path, value, ttl)
	}
	defer h.release()
	switch e := s.entry(h); {
	case e.Found() && old != nil && bytes.Equal(e.Value, old), !e.Found() && old == nil:
		err = h.write(value)
	case e.Found() && bytes.Equal(e.Value, value):
		// It was saved before, and the answer was lost: before it was on disk, perhaps.
	default:
		return e, sessionstore.ErrConflict
	}
	if err == nil {
		err = s.stamp(path, ttl)
	}
	if err != nil {
		return sessionstore.Entry{}, err
	}
	folder.Unlock(h.file)
	return sessionstore.Entry{}, h.file.Sync()
}

// write replaces the content in place. If that fails half way, because the disk is full, it puts
// the former content back.
//
// PHP empties a file first. Here, a file that does not shrink is written by one call, so that a
// process that is killed leaves the old content or the new, up to the size of a page.
func (h *held) write(value []byte) error {
	_, err := h.file.WriteAt(value, 0)
	if err == nil && len(value) < len(h.value) {
		err = h.file.Truncate(int64(len(value)))
	}
	if err != nil {
		_, undo := h.file.WriteAt(h.value, 0)
		err = errors.Join(err, undo, h.file.Truncate(int64(len(h.value))))
	}
	return err
}

// CompareAndDelete implements [sessionstore.Store]. It waits for PHP's lock until the context ends.
func (s *Store) CompareAndDelete(ctx context.Context, key string, old []byte) (sessionstore.Entry, error) {
	return s.do(ctx, key, func(path string) (sessionstore.Entry, error) {
		h, err := s.change(ctx, path)
		if h == nil || err != nil {
			return sessionstore.Entry{}, err
		}
		defer h.release()
		switch e := s.entry(h); {
		case !e.Found():
			return sessionstore.Entry{}, nil
		case !bytes.Equal(e.Value, old):
			return e, sessionstore.ErrConflict
		}
		if err := os.Remove(path); err != nil {
			return sessionstore.Entry{}, err
		}
		folder.Unlock(h.file)
		return sessionstore.Entry{}, syncFolder(path)
	})
}

// Touch implements [sessionstore.Store]. A session that is locked is left to whoever has the lock:
// a PHP script touches it at its end, and a change does, too.
func (s *Store) Touch(ctx context.Context, key string, old []byte, ttl time.Duration) error {
	_, err := s.do(ctx, key, func(path string) (sessionstore.Entry, error) {
		h, _, err := s.try(path, os.O_RDONLY, false)
		if h == nil || err != nil {
			return sessionstore.Entry{}, err
		}
		defer h.release()
		if e := s.entry(h); !e.Found() || !bytes.Equal(e.Value, old) {
			return sessionstore.Entry{}, nil
		}
		return sessionstore.Entry{}, s.stamp(path, ttl)
	})
	return err
}
