package cachelib

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/caddy-session/caddy-session/internal/folder"
)

const (
	// suffix is the end of the names that every version of cachelib takes for unfinished files and
	// does not count.
	suffix = ".__wz_cache"

	// lockName is the file that a process locks while it changes names in the folder.
	lockName = "caddy-session-lock" + suffix
)

// writing is a record that is being written.
type writing struct {
	store *Store
	path  string
	value []byte
	ttl   time.Duration

	// temp is the file that already holds the record in this form, or empty.
	temp string
	form form
}

// replace puts the record in the place of f, or creates it if f is nil. It reports false if another
// file has appeared there.
//
// The record is on disk before it gets its name, so a reader sees the old or the new one, even
// after a crash.
func (w *writing) replace(ctx context.Context, f *found) (placed bool, err error) {
	is := w.store.newForm
	if f != nil {
		is = func() form { return f.form }
	}
	if err := w.prepare(is()); err != nil {
		return false, err
	}
	placed, err = w.place(ctx, f)
	if err != nil || !placed {
		return placed, err
	}
	return true, folder.Sync(w.store.o.Dir)
}

// prepare writes the record to a temporary file.
func (w *writing) prepare(f form) (err error) {
	if w.temp != "" && w.form == f {
		return nil
	}
	w.discard()
	w.form = f
	raw := content{form: f, expiry: w.store.expiry(w.ttl), value: w.value}.append(nil)
	w.temp, err = w.store.writeTemp(raw, true)
	return err
}

// place renames the temporary file, under the lock.
func (w *writing) place(ctx context.Context, f *found) (bool, error) {
	release, err := w.store.lock(ctx)
	if err != nil {
		return false, err
	}
	defer release()
	if f == nil {
		w.store.prune()
		// Unlike a rename, a link cannot overwrite a file that an app has just created.
		err := os.Link(w.temp, w.path)
		switch {
		case errors.Is(err, fs.ErrExist):
			return false, nil
		case err == nil:
			w.store.count(1)
			return true, nil // discard removes the temporary name
		case !folder.HasNoLinks(err):
			return false, err
		}
	}
	if !f.stays(w.path) {
		return false, nil
	}
	if err := os.Rename(w.temp, w.path); err != nil {
		return false, err
	}
	w.temp = ""
	if f == nil {
		w.store.count(1)
	}
	return true, nil
}

// discard removes an unused temporary file.
func (w *writing) discard() {
	if w.temp != "" {
		_ = os.Remove(w.temp)
		w.temp = ""
	}
}

// writeTemp writes a temporary file, and syncs it if durable.
func (s *Store) writeTemp(raw []byte, durable bool) (string, error) {
	var random [12]byte
	_, _ = rand.Read(random[:])
	path := s.path(hex.EncodeToString(random[:]) + suffix)
	mode := fs.FileMode(s.mode.Load())
	file, err := s.open(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return "", err
	}
	if mode != DefaultFileMode {
		err = file.Chmod(mode) // whatever the umask is
	}
	if err == nil {
		_, err = file.Write(raw)
	}
	if err == nil && durable {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		_ = os.Remove(path)
		return "", err
	}
	return path, nil
}

// open opens or creates a file, and creates the folder if it was never there.
func (s *Store) open(path string, flag int) (*os.File, error) {
	mode := fs.FileMode(s.mode.Load())
	seen := s.place.Seen() // before opening: another writer may be making the folder
	file, err := os.OpenFile(path, flag|folder.OpenFlags, mode)
	if !errors.Is(err, fs.ErrNotExist) || seen {
		return file, err
	}
	if err := folder.Make(s.o.Dir, 0o700|mode&0o444>>2|mode&0o666); err != nil {
		return nil, err
	}
	return os.OpenFile(path, flag|folder.OpenFlags, mode)
}

// minWait and maxWait are the pauses between attempts to get the lock, which is held for the time
// of a rename.
const (
	minWait = 100 * time.Microsecond
	maxWait = 5 * time.Millisecond
)

// lock waits for the lock that covers all changes of names in the folder.
func (s *Store) lock(ctx context.Context) (release func(), err error) {
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	file, err := s.open(s.path(lockName), os.O_RDWR|os.O_CREATE)
	if err != nil {
		<-s.turn
		return nil, err
	}
	if mode := fs.FileMode(s.mode.Load()); mode != DefaultFileMode {
		_ = file.Chmod(mode) // whatever the umask is; fails if it is another user's
	}
	release = func() {
		_ = file.Close() // releases the lock
		<-s.turn
	}
	for wait := minWait; ; wait = min(2*wait, maxWait) {
		free, err := folder.TryLock(file)
		if err == nil && free {
			return release, nil
		}
		if err == nil {
			select {
			case <-time.After(wait):
				continue
			case <-ctx.Done():
				err = ctx.Err()
			}
		}
		release()
		return nil, err
	}
}
