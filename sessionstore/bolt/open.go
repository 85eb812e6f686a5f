package bolt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"
	"time"

	bbolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/caddy-session/caddy-session/internal/combiner"
	"github.com/caddy-session/caddy-session/internal/folder"
)

var (
	// ErrHeld means that another process holds the file.
	ErrHeld = errors.New("the file is held by another process")

	// ErrDamaged means that the file cannot be used as it is. It is left as it is.
	ErrDamaged = errors.New("the file is damaged")

	// ErrForeign means that the file is not one of this package's. It is left as
	// it is.
	ErrForeign = errors.New("the file holds something else")
)

// openFile makes one attempt to open the file, and creates it if it is not there.
func (s *Store) openFile() (*file, error) {
	make := s.create
	if s.place.Seen() {
		make = func() error { return folder.ErrGone }
	}
	fd, err := lockFile(s.o.Path, make)
	if err != nil {
		return nil, err
	}
	if err := s.place.Same(); err != nil {
		_ = fd.Close()
		return nil, err
	}
	// What follows may take long with a large file, but not for ever.
	s.opening.wait()
	removeLeftovers(s.o.Path)

	// bbolt does not survive all damages, and the process dies with it: of SIGBUS
	// when the file is too short, of a panic in a goroutine of its own when it
	// looks for free pages in a damaged tree, of running out of memory when it
	// frees a page that claims to be four billion.
	synced, err := verify(fd, s.quit)
	if err != nil {
		_ = fd.Close()
		s.place.Forget() // a good one that comes in its place is welcome
		return nil, err
	}
	db, err := openBolt(s.o.Path, fd, s.o.tune)
	if err != nil {
		return nil, err
	}
	if err := s.place.Check(); err != nil {
		_ = db.Close()
		return nil, err
	}
	// Whoever had the file before may have been killed before it was on disk.
	f := &file{fd: fd, db: db, cache: newCache(), place: s.place, synced: synced, unsaved: true}
	f.alive, f.lose = context.WithCancel(context.Background())
	f.commits = combiner.NewDetached(maxBatch, gather, func(batch []*op) { s.commit(f, batch) })
	return f, nil
}

func (s *Store) create() error { return create(s.o.Path, s.o.FileMode) }

// lockFile opens the file for this process alone. If it is not there, make is to make it. If it is empty, as a crash or an operator
// has left it, and make does not refuse, it becomes one without sessions.
func lockFile(path string, make func() error) (*os.File, error) {
	for range 5 {
		fd, err := os.OpenFile(path, os.O_RDWR, 0)
		if errors.Is(err, fs.ErrNotExist) {
			if err = make(); err != nil {
				return nil, fmt.Errorf("creating it: %w", err)
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		locked, err := tryLock(fd)
		switch {
		case err != nil:
			err = fmt.Errorf("locking it: %w", err)
		case !locked:
			err = ErrHeld
		case !isAt(fd, path):
			// Somebody has put another file in its place before the lock was ours.
			_ = fd.Close()
			continue
		default:
			info, err := fd.Stat()
			if err != nil || info.Size() > 0 {
				return fd, err
			}
			if make() != nil {
				_ = fd.Close()
				return nil, fmt.Errorf("%w: it is empty", ErrDamaged)
			}
			if err := replaceEmpty(path, fd, info); err != nil {
				return nil, fmt.Errorf("initializing it, as it is empty: %w", err)
			}
			continue
		}
		_ = fd.Close()
		return nil, err
	}
	return nil, errors.New("it disappears again and again")
}

// isAt reports whether fd is the file that path names now.
func isAt(fd *os.File, path string) bool {
	opened, err1 := fd.Stat()
	named, err2 := os.Stat(path)
	return err1 == nil && err2 == nil && os.SameFile(opened, named)
}

// openBolt hands a file that is locked and verified to bbolt, which closes it,
// now if it fails.
func openBolt(path string, fd *os.File, tune func(*bbolt.Options)) (db *bbolt.DB, err error) {
	defer func() {
		if p := recover(); p != nil {
			_ = fd.Close()
			db, err = nil, panicError(p)
		}
	}()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	o := &bbolt.Options{
		// The same descriptor, so that there is no moment without a lock and no
		// other file.
		OpenFile: func(string, int, fs.FileMode) (*os.File, error) { return fd, nil },
		Timeout:  time.Nanosecond, // one attempt
		// With bbolt's default, allocating takes the longer the more pages are
		// free.
		FreelistType: bbolt.FreelistMapType,
		// Chosen anew for each transaction; here it says that opening writes
		// nothing.
		NoFreelistSync: true,
	}
	if tune != nil {
		tune(o)
	}
	db, err = bbolt.Open(path, DefaultFileMode, o)
	if errors.Is(err, berrors.ErrTimeout) {
		err = ErrHeld
	}
	return db, err
}
