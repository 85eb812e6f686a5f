// Package bolt keeps sessions in one file on disk, with [bbolt]. Reads are served
// from a memory map, or from 16 MiB of records that were used of late. Writes that come at the same time share one transaction, and
// none is answered before it is on disk. One process at a time can hold the file.
package bolt

import (
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"
	"time"

	bbolt "go.etcd.io/bbolt"

	"github.com/caddy-session/caddy-session/internal/folder"
	"github.com/caddy-session/caddy-session/sessionstore"
)

const (
	// DefaultFileMode is the mode when [Options.FileMode] is zero.
	DefaultFileMode fs.FileMode = 0o600

	// DefaultSweepInterval is the interval when [Options.SweepInterval] is zero:
	// a pass over a million sessions takes four minutes.
	DefaultSweepInterval = 250 * time.Millisecond
)

// Options configure a [Store]. Only Path is needed.
type Options struct {
	// Path names the file. It is created with its folders when it is not there.
	Path string

	// FileMode is the mode of a new file. Default: 0600. New folders get 0700.
	FileMode fs.FileMode

	// SweepInterval is how long the sweeper rests after it has looked at 1,000
	// sessions for expired ones. After a pass over all it rests 240 times that
	// long. Default: 250ms.
	SweepInterval time.Duration

	// OnError is told what goes wrong while nobody waits for it: the file cannot
	// be opened (once for each new reason) or has gone, touches could not be written, expired
	// sessions not be removed. It is told nil when the file could be opened after
	// all, or is back. It must not block, and may be called by several goroutines at once.
	// Default: nobody is told.
	OnError func(error)

	// Now is the clock. Default: [time.Now].
	Now func() time.Time

	// For tests.
	tune  func(*bbolt.Options)
	pause time.Duration // instead of all rests between attempts to open
}

// Store is a [sessionstore.Store] in a file. Make one with [Open].
//
// The file is opened in the background when the store is first used, and
// operations wait for that as long as their contexts allow. While it cannot be
// opened they fail at once, with an error that is [sessionstore.ErrUnavailable]
// and says why, and the store goes on trying.
//
// A file that is removed or replaced while it is open is out of reach until it is back, and no other is made:
// changes fail at once, reads within a second.
type Store struct {
	o       Options
	place   *folder.Place
	touches touches
	opening opening
	current atomic.Pointer[file]

	quit       chan struct{}
	closed     sync.Once
	background sync.WaitGroup
}

var errClosed = errors.New("the store is closed")

// Open returns a store for the file. It neither reads nor writes anything yet.
func Open(o Options) *Store {
	if o.FileMode == 0 {
		o.FileMode = DefaultFileMode
	}
	if o.SweepInterval <= 0 {
		o.SweepInterval = DefaultSweepInterval
	}
	if o.OnError == nil {
		o.OnError = func(error) {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Store{o: o, quit: make(chan struct{})}
	s.place = folder.NewFile(o.Path, func(err error) { s.o.OnError(s.report(err)) })
	return s
}

// InUse reports whether the file is open.
func (s *Store) InUse() bool { return s.current.Load() != nil }

// Close writes what is still to be written and gives the file back. It waits for
// operations under way; later ones fail. It may be called more than once.
func (s *Store) Close() (err error) {
	s.closed.Do(func() {
		s.touches.close()
		s.flush()
		s.opening.close()
		close(s.quit)
		s.background.Wait()
		if f := s.current.Swap(nil); f != nil {
			err = f.close()
		}
	})
	return err
}

// unavailable makes an error of this store out of err.
func (s *Store) unavailable(err error) error {
	return fmt.Errorf("%w: %s: %w", sessionstore.ErrUnavailable, s.o.Path, err)
}

var _ sessionstore.Store = (*Store)(nil)
