package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/caddy-session/caddy-session/internal/folder"
	"github.com/caddy-session/caddy-session/internal/locks"
	"github.com/caddy-session/caddy-session/sessionstore"
)

var (
	errForeign  = fmt.Errorf("%w: it is no regular file, left unchanged", sessionstore.ErrRecord)
	errTooLarge = fmt.Errorf("%w: file is larger than %d bytes", sessionstore.ErrRecord, sessionstore.MaxValue)
	errOwner    = fmt.Errorf("%w: the file belongs to another user, as PHP's do not; set owner in the block of the dialect to the user that PHP runs as", sessionstore.ErrRecord)
	errLocked   = errors.New("a PHP script holds the lock of the session: it has called session_start() and is still running")
)

// held is an open session file with its content.
type held struct {
	file  *os.File
	path  string
	state state
	value []byte

	// turns has a turn for path, if it is not nil.
	turns *locks.Table
}

// release gives back the lock, if the file is locked, and closes the file.
func (h *held) release() {
	_ = h.file.Close()
	if h.turns != nil {
		h.turns.Unlock(h.path)
	}
}

// minWait and maxWait are the pauses between attempts to get a lock.
const (
	minWait = 100 * time.Microsecond
	maxWait = 5 * time.Millisecond
)

// change opens a session file, takes its lock for a change, and reads it. It waits for the lock
// until ctx ends. It returns nil if there is no file.
func (s *Store) change(ctx context.Context, path string) (*held, error) {
	if err := s.turn(ctx, &s.turns, path); err != nil {
		return nil, err
	}
	h, err := s.wait(ctx, path, os.O_RDWR, false)
	if h == nil {
		s.turns.Unlock(path)
		return nil, err
	}
	h.turns = &s.turns
	return h, nil
}

// look opens and locks a session file for a read. A file that PHP has locked is returned without
// the lock, unless it is being written. It returns nil if there is none.
func (s *Store) look(ctx context.Context, path string) (*held, error) {
	h, locked, err := s.try(path, os.O_RDONLY, true)
	if !locked {
		return h, err
	}
	// Only one of those that wait tries again and again: a client may send any number of requests
	// with the id of a slow page.
	if err := s.turn(ctx, &s.reading, path); err != nil {
		return nil, err
	}
	defer s.reading.Unlock(path)
	return s.wait(ctx, path, os.O_RDONLY, true)
}

// wait opens and locks a session file, and reads it. It returns nil if there is none. flag is
// os.O_RDONLY for a lock that others may share, or os.O_RDWR. If settled, a file that PHP has
// locked is returned without the lock, unless it is being written.
func (s *Store) wait(ctx context.Context, path string, flag int, settled bool) (*held, error) {
	for wait := minWait; ; wait = min(2*wait, maxWait) {
		h, locked, err := s.try(path, flag, settled)
		if err != nil || h != nil {
			return h, err
		}
		if !locked {
			return nil, nil
		}
		s.crew.Idle(func() {
			select {
			case <-time.After(wait):
			case <-ctx.Done():
			}
		})
		if ctx.Err() != nil {
			return nil, fmt.Errorf("%w: %w", errLocked, ctx.Err())
		}
	}
}

// try is one attempt of wait. Without a result, locked says whether there is a file.
func (s *Store) try(path string, flag int, settled bool) (h *held, locked bool, err error) {
	for {
		file, err := os.OpenFile(path, flag|folder.OpenFlags, 0)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, false, nil
		}
		if err != nil {
			if info, is := os.Lstat(path); is == nil && !info.Mode().IsRegular() {
				err = errForeign
			}
			return nil, false, err
		}
		h := &held{file: file, path: path}
		free, err := lock(file, flag)
		if err == nil && (free || settled) {
			err = s.read(h)
		}
		switch {
		case err != nil:
			h.release()
			return nil, false, err
		case free && h.stays(), settled && !free && s.settled(h):
			return h, false, nil
		}
		h.release()
		if !free {
			return nil, true, nil
		} // else it was deleted before it was locked
	}
}

// read reads an open file.
func (s *Store) read(h *held) (err error) {
	if h.state, err = stateOf(h.file); err != nil {
		return err
	}
	switch {
	case !h.state.regular:
		return errForeign
	case !s.owns(h.state.uid):
		return errOwner
	case h.state.size > sessionstore.MaxValue:
		return errTooLarge
	}
	h.value = make([]byte, h.state.size)
	if _, err = io.ReadFull(io.NewSectionReader(h.file, 0, h.state.size), h.value); errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		h.state.changed = time.Time{} // it is being written: see settled
		err = nil
	}
	return err
}

// owns reports whether a session may belong to a user. PHP refuses those of others too: in a folder
// that others may write, they could plant sessions.
func (s *Store) owns(uid int) bool {
	owner := s.o.UID
	if owner < 0 {
		owner = os.Geteuid()
	}
	return uid == 0 || uid == owner
}

// stays reports whether the path still leads to this file.
func (h *held) stays() bool {
	is, err := h.file.Stat()
	if err != nil {
		return false
	}
	info, err := os.Lstat(h.path)
	return err == nil && os.SameFile(is, info)
}

const (
	// quiet is longer than the steps in which a file system counts the time.
	quiet = 50 * time.Millisecond

	// pause is how long a PHP script may be stopped while it writes, on a busy machine.
	pause = 3 * time.Second
)

// settled reports whether a file that is locked by another was not written while it was read. PHP
// holds the lock as long as a script runs, and writes at its end: it empties the file, or not, and
// writes all of it.
func (s *Store) settled(h *held) bool {
	now, err := stateOf(h.file)
	if err != nil || now != h.state || !h.stays() {
		return false
	}
	age := time.Since(now.changed)
	return age > pause || age > quiet && len(h.value) > 0 && s.o.Whole(h.value)
}

// entry returns a file's content as an entry: the zero Entry if there is none, or if it has
// expired.
func (s *Store) entry(h *held) sessionstore.Entry {
	if h == nil {
		return sessionstore.Entry{}
	}
	left := h.state.modified.Add(s.o.Lifetime).Sub(s.o.Now())
	if left <= 0 {
		return sessionstore.Entry{}
	}
	return sessionstore.Entry{Value: h.value, TTL: max(left, time.Millisecond)}
}

// lock tries to lock a file that was opened with this flag.
func lock(file *os.File, flag int) (free bool, err error) {
	if flag == os.O_RDONLY {
		return folder.TryShare(file)
	}
	return folder.TryLock(file)
}
