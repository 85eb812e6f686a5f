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

	"github.com/caddy-session/caddy-session/internal/boltfile"
	"github.com/caddy-session/caddy-session/internal/combiner"
	"github.com/caddy-session/caddy-session/internal/folder"
)

// ErrHeld means that another process has the file open.
var ErrHeld = errors.New("the file is held by another process")

// openFile makes one attempt to open the file, and creates it if it does not exist.
func (s *Store) openFile() (*file, error) {
	make := func() error { return create(s.o.Path) }
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
	// The rest may take long if the file is large, but it ends. Operations wait for it.
	s.opening.wait()
	removeLeftovers(s.o.Path)
	synced, err := boltfile.Verify(s.alive, fd, layout)
	if err != nil {
		_ = fd.Close()
		if errors.Is(err, boltfile.ErrDamaged) || errors.Is(err, boltfile.ErrForeign) {
			s.place.Forget() // a good file may replace it
		}
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
	// The last process may have been killed before its changes were on disk: hence unsaved.
	f := &file{fd: fd, db: db, cache: newCache(), place: s.place, synced: synced, unsaved: true}
	f.alive, f.lose = context.WithCancel(context.Background())
	f.commits = combiner.NewDetached(maxBatch, gather, func(batch []*op) { s.commit(f, batch) })
	return f, nil
}

// lockFile opens the file and locks it. If it does not exist, it calls make to create it. An empty
// file, as crashes and operators leave it, becomes one without sessions, unless make returns an
// error.
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
		free, err := folder.TryLock(fd)
		switch {
		case err != nil && !errors.Is(err, errors.ErrUnsupported): // if it is, bbolt locks the file
			err = fmt.Errorf("locking it: %w", err)
		case err == nil && !free:
			err = ErrHeld
		case !isAt(fd, path):
			// Another file has replaced it before it was locked.
			_ = fd.Close()
			continue
		default:
			info, err := fd.Stat()
			if err != nil || info.Size() > 0 {
				return fd, err
			}
			if make() != nil {
				_ = fd.Close()
				return nil, errEmpty
			}
			if err := replaceEmpty(path, fd, info); err != nil {
				return nil, fmt.Errorf("initializing the empty file: %w", err)
			}
			continue
		}
		_ = fd.Close()
		return nil, err
	}
	return nil, errors.New("it was removed or replaced each time it was opened")
}

// isAt reports whether fd is the file under path.
func isAt(fd *os.File, path string) bool {
	opened, err1 := fd.Stat()
	named, err2 := os.Stat(path)
	return err1 == nil && err2 == nil && os.SameFile(opened, named)
}

// openBolt opens a file that is locked and verified with bbolt, which closes fd, also if it fails.
func openBolt(path string, fd *os.File, tune func(*bbolt.Options)) (db *bbolt.DB, err error) {
	defer func() {
		if p := recover(); p != nil {
			_ = fd.Close()
			db, err = nil, panicError(p)
		}
	}()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	o := &bbolt.Options{
		// The same descriptor: it keeps the lock, and is the file that was verified.
		OpenFile: func(string, int, fs.FileMode) (*os.File, error) { return fd, nil },
		Timeout:  time.Nanosecond, // one attempt
		// With bbolt's default, the time to allocate a page grows with the number of free pages.
		FreelistType: bbolt.FreelistMapType,
		// Each transaction sets it. Here it means that opening the file writes nothing.
		NoFreelistSync: true,
	}
	if tune != nil {
		tune(o)
	}
	db, err = bbolt.Open(path, fileMode, o)
	if errors.Is(err, berrors.ErrTimeout) {
		err = ErrHeld
	}
	return db, err
}
