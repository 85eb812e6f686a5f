// Package files keeps sessions in a folder as PHP's own handler "files" does: a file named
// sess_<id> for each, which is changed in place under PHP's lock. PHP and several of our processes
// may use the folder at the same time.
//
// PHP holds the lock of a session from session_start() until it has saved the session. So whoever
// has the lock sees what PHP has saved, and PHP sees what was saved before it got the lock. A file
// is never replaced by another one: PHP scripts that wait for the lock would read the old one, and
// save into it.
package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync/atomic"
	"time"

	"github.com/caddy-session/caddy-session/internal/folder"
	"github.com/caddy-session/caddy-session/internal/locks"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// DefaultFileMode is the file mode if [Options.FileMode] is zero.
const DefaultFileMode fs.FileMode = 0o600

// Options configure a [Store]. Only Dir is needed.
type Options struct {
	// Dir is the folder, without the number of levels and the mode that PHP's session.save_path may
	// have before it. It is never created.
	Dir string

	// Levels is the number of levels of folders in Dir, named by the first characters of the ids.
	Levels int

	// UID is the user that PHP runs as. New files belong to this user, and files of others (but for
	// root) are not read. Negative: the user of this process.
	UID int

	// FileMode is the mode of new files, at least 0600. Default: 0600.
	FileMode fs.FileMode

	// Lifetime is how long a session lives after its file was last saved or touched: PHP's
	// session.gc_maxlifetime. Default: 24 minutes.
	Lifetime time.Duration

	// Whole reports whether a content is that of a whole session. It is asked about files that were
	// read while PHP had locked them. Default: all are.
	Whole func(content []byte) bool

	// OnError is called with an error when the folder becomes unavailable, and with nil when it is
	// back. It must not block. Default: none.
	OnError func(error)

	// Now is the clock. Default: [time.Now].
	Now func() time.Time
}

// Store is a [sessionstore.Store] in a folder. Make one with [Open]. It is safe for concurrent use.
//
// An expired file stays: PHP deletes it. A file that is no session of PHP's (a symbolic link, of
// another user, larger than any session) is left alone: an operation on it fails with an error that
// wraps [sessionstore.ErrRecord].
//
// If the folder is replaced or disappears after its first use, every operation fails with
// [sessionstore.ErrUnavailable] until the folder is back. Errors do not name files, as their names
// hold the ids.
type Store struct {
	o       Options
	mode    atomic.Uint32
	place   *folder.Place
	turns   locks.Table // for changes
	reading locks.Table // for reads that wait for PHP's lock
	crew    *folder.Crew
}

// Open returns a store in the folder. It does not read or write anything yet.
func Open(o Options) *Store {
	if o.Lifetime <= 0 {
		o.Lifetime = 24 * time.Minute
	}
	if o.Whole == nil {
		o.Whole = func([]byte) bool { return true }
	}
	if o.OnError == nil {
		o.OnError = func(error) {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Store{o: o}
	s.place = folder.NewFolder(o.Dir, s.report)
	s.crew = folder.NewCrew(s.place, maxAtWork)
	s.Set(o.FileMode, 0)
	return s
}

// report calls OnError.
func (s *Store) report(err error) {
	if err != nil {
		err = s.unavailable(err)
	}
	s.o.OnError(err)
}

// Probe reports whether the folder can be used. It does not write.
func (s *Store) Probe(context.Context) error {
	err := s.place.Check()
	if err == nil {
		err = folder.Writable(s.o.Dir)
	}
	if err != nil {
		return s.unavailable(err)
	}
	return nil
}

// Set changes [Options.FileMode] for future files. There is no maximum number of records.
func (s *Store) Set(mode fs.FileMode, _ int) {
	if mode == 0 {
		mode = DefaultFileMode
	}
	s.mode.Store(uint32(mode))
}

// Close implements [sessionstore.Store]. It waits for running operations.
func (s *Store) Close() error {
	s.crew.Wait()
	return nil
}

// maxAtWork is how many operations run at once. Each may block a thread while it waits for the
// disk. Those that wait for PHP's lock do not count, or one slow page would hold up all sessions.
const maxAtWork = 256

// turn waits for the turn of a path until ctx ends.
func (s *Store) turn(ctx context.Context, turns *locks.Table, path string) error {
	if err := s.crew.Turn(ctx, turns, path); err != nil {
		return fmt.Errorf("%w: %w", errLocked, err)
	}
	return nil
}

var errSize = errors.New("the record is too large")

// do runs work on the file of a key. When the context ends, do returns and work continues in the
// background.
func (s *Store) do(ctx context.Context, key string, work func(path string) (sessionstore.Entry, error)) (sessionstore.Entry, error) {
	path, err := s.path(key)
	if err != nil {
		return sessionstore.Entry{}, s.unavailable(err)
	}
	found, err := folder.Run(ctx, s.crew, func() (sessionstore.Entry, error) { return work(path) })
	return s.answer(found, err)
}

func (s *Store) answer(found sessionstore.Entry, err error) (sessionstore.Entry, error) {
	if err != nil && err != sessionstore.ErrConflict {
		return sessionstore.Entry{}, s.unavailable(nameless(err))
	}
	return found, err
}

// unavailable wraps err as an error of this store.
func (s *Store) unavailable(err error) error {
	return fmt.Errorf("%w: %s: %w", sessionstore.ErrUnavailable, s.o.Dir, err)
}

// nameless is err without the name of a file, and with advice if this process may not use it.
func nameless(err error) error {
	var at *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &at):
		err = fmt.Errorf("%s: %w", at.Op, at.Err)
	case errors.As(err, &link):
		err = fmt.Errorf("%s: %w", link.Op, link.Err)
	}
	if errors.Is(err, fs.ErrPermission) {
		err = fmt.Errorf("%w; run Caddy as the user that PHP runs as", err)
	}
	return err
}

var _ sessionstore.Store = (*Store)(nil)
