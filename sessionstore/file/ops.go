package file

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/caddy-session/caddy-session/internal/folder"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// maxAtWork is how many changes run at once. Each blocks a thread while the disk writes.
const maxAtWork = 16

var errSize = errors.New("a key or a record is too large, or a key is empty")

// buffers are for reading files. Most sessions fit. A new buffer for each read takes 1 µs more.
var buffers = sync.Pool{New: func() any { b := make([]byte, 8<<10); return &b }}

// Get implements [sessionstore.Store]. It opens, reads and closes the file, without a lock.
func (s *Store) Get(ctx context.Context, key string) (sessionstore.Entry, error) {
	s.begin()
	if err := ctx.Err(); err != nil {
		return sessionstore.Entry{}, s.unavailable(err)
	}
	if err := s.place.Glance(); err != nil {
		return sessionstore.Entry{}, s.unavailable(err)
	}
	path := s.path(key)
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	raw, err := readFile(path, *buf)
	if errors.Is(err, fs.ErrNotExist) {
		// No session, or no folder.
		if err := s.place.Check(); err != nil {
			return sessionstore.Entry{}, s.unavailable(err)
		}
		return sessionstore.Entry{}, nil
	}
	var r record
	if err == nil {
		r, err = parse(raw)
	}
	if err == nil {
		return r.entry(s.now()), nil
	}
	// A touch may have been writing the header. Read again with the lock: this returns the record,
	// or what is wrong with it.
	return s.do(ctx, key, func(path string) (sessionstore.Entry, error) {
		h, err := s.hold(ctx, path)
		if h == nil || err != nil {
			return sessionstore.Entry{}, err
		}
		defer h.release()
		return h.entry(s.now()), nil
	})
}

// CompareAndSet implements [sessionstore.Store].
func (s *Store) CompareAndSet(ctx context.Context, key string, old, value []byte, ttl time.Duration) (sessionstore.Entry, error) {
	if len(value) > sessionstore.MaxValue {
		return sessionstore.Entry{}, s.unavailable(errSize)
	}
	return s.do(ctx, key, func(path string) (sessionstore.Entry, error) {
		for {
			found, err := s.set(ctx, path, key, old, value, ttl)
			if !errors.Is(err, fs.ErrExist) {
				return found, err
			} // another process has just created it
		}
	})
}

func (s *Store) set(ctx context.Context, path, key string, old, value []byte, ttl time.Duration) (sessionstore.Entry, error) {
	h, err := s.hold(ctx, path)
	if err != nil {
		return sessionstore.Entry{}, err
	}
	now := s.now()
	if h == nil {
		if old != nil {
			return sessionstore.Entry{}, sessionstore.ErrConflict
		}
		return sessionstore.Entry{}, s.create(ctx, path, key, deadline(now, ttl), value)
	}
	defer h.release()
	switch live := h.live(now); {
	case live && h.is(old), !live && old == nil:
		return sessionstore.Entry{}, s.write(path, key, deadline(now, ttl), value, os.Rename)
	case live && bytes.Equal(h.value, value):
		// Saved before, and the answer was lost. The sync may not have happened.
		return sessionstore.Entry{}, s.syncNames()
	default:
		return h.entry(now), sessionstore.ErrConflict
	}
}

// CompareAndDelete implements [sessionstore.Store].
func (s *Store) CompareAndDelete(ctx context.Context, key string, old []byte) (sessionstore.Entry, error) {
	return s.do(ctx, key, func(path string) (sessionstore.Entry, error) {
		h, err := s.hold(ctx, path)
		if err != nil {
			return sessionstore.Entry{}, err
		}
		if h == nil {
			// Perhaps it was deleted before, and the answer was lost.
			if err := s.syncNames(); !errors.Is(err, fs.ErrNotExist) {
				return sessionstore.Entry{}, err
			}
			return sessionstore.Entry{}, nil
		}
		defer h.release()
		switch now := s.now(); {
		case !h.live(now):
			return sessionstore.Entry{}, nil
		case !h.is(old):
			return h.entry(now), sessionstore.ErrConflict
		}
		times := s.census.leaving()
		if err := os.Remove(path); err != nil {
			return sessionstore.Entry{}, err
		}
		s.census.gone(times)
		return sessionstore.Entry{}, s.syncNames()
	})
}

// Touch implements [sessionstore.Store]. It does not wait for the disk.
func (s *Store) Touch(ctx context.Context, key string, old []byte, ttl time.Duration) error {
	_, err := s.do(ctx, key, func(path string) (sessionstore.Entry, error) {
		h, err := s.hold(ctx, path)
		if h == nil || err != nil {
			return sessionstore.Entry{}, err
		}
		defer h.release()
		now := s.now()
		if !h.live(now) || !h.is(old) {
			return sessionstore.Entry{}, nil
		}
		h.deadline = deadline(now, ttl)
		_, err = h.file.WriteAt(h.header.append(nil), 0)
		return sessionstore.Entry{}, err
	})
	return err
}

func (r record) is(old []byte) bool { return old != nil && bytes.Equal(r.value, old) }

func (s *Store) path(key string) string { return filepath.Join(s.o.Dir, s.o.Name(key)) }

// do calls work for the file of a key, one caller at a time in this process. When ctx ends, do
// returns, and work continues.
func (s *Store) do(ctx context.Context, key string, work func(path string) (sessionstore.Entry, error)) (sessionstore.Entry, error) {
	if len(key) == 0 || len(key) > sessionstore.MaxKey {
		return sessionstore.Entry{}, s.unavailable(errSize)
	}
	s.begin()
	path := s.path(key)
	found, err := folder.Run(ctx, s.crew, func() (sessionstore.Entry, error) {
		if unsupported != nil {
			return sessionstore.Entry{}, unsupported
		}
		if err := s.crew.Turn(ctx, &s.turns, path); err != nil {
			return sessionstore.Entry{}, err
		}
		defer s.turns.Unlock(path)
		return work(path)
	})
	if err != nil && err != sessionstore.ErrConflict {
		return sessionstore.Entry{}, s.unavailable(err)
	}
	return found, err
}
