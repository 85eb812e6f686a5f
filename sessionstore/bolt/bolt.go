// Package bolt keeps sessions in one file on disk, with [bbolt]. Reads come from a memory map, or
// from a cache of 16 MiB. Writes that arrive at the same time share one transaction, and return
// when it is on disk. One process at a time can use the file.
package bolt

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	bbolt "go.etcd.io/bbolt"

	"github.com/caddy-session/caddy-session/internal/folder"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// Options configure a [Store]. Only Path is needed.
type Options struct {
	// Path names the file. It is created with mode 0600, and its folders with 0700, if it does not
	// exist.
	Path string

	// OnError is called with errors that no caller waits for: the file cannot be opened (once for
	// each new reason) or is gone, touches could not be written, expired sessions could not be
	// deleted. It is called with nil when the file is open after all, or is back. It must not
	// block, and may be called by several goroutines at once. Default: none.
	OnError func(error)

	// OnExpire is called with the number of sessions that were deleted because their time was over.
	// It must not block. Default: none.
	OnExpire func(n int)

	// Now is the clock. Default: [time.Now].
	Now func() time.Time

	// For tests.
	tune          func(*bbolt.Options)
	sweepInterval time.Duration
	pause         time.Duration // between attempts to open the file, whatever the failure
}

// Store is a [sessionstore.Store] in a file. Make one with [Open].
//
// The file is opened in the background when the store is first used, and operations wait for that
// as long as their contexts allow. If it cannot be opened, operations fail at once with an error
// that is [sessionstore.ErrUnavailable] and says why, and the store keeps trying.
//
// If the file is removed or replaced while it is open, changes fail at once and reads within a
// second, until the file is back. No other file is created in its place.
type Store struct {
	o       Options
	place   *folder.Place
	touches touches
	opening opening
	current atomic.Pointer[file]

	alive      context.Context // until the store is closed
	end        context.CancelFunc
	closed     sync.Once
	background sync.WaitGroup
}

var errClosed = errors.New("the store is closed")

// Open returns a store for the file. It neither reads nor writes anything yet.
func Open(o Options) *Store {
	if o.sweepInterval <= 0 {
		o.sweepInterval = sweepInterval
	}
	if o.OnError == nil {
		o.OnError = func(error) {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Store{o: o}
	s.place = folder.NewFile(o.Path, func(err error) { s.o.OnError(s.unavailable(err)) })
	s.alive, s.end = context.WithCancel(context.Background())
	return s
}

// InUse reports whether the file is open.
func (s *Store) InUse() bool { return s.current.Load() != nil }

// Close writes the touches that wait, waits for operations under way, and closes the file. Later
// operations fail. It may be called more than once.
func (s *Store) Close() (err error) {
	s.closed.Do(func() {
		if f := s.current.Load(); f != nil {
			_ = f.nudge() // waits for a batch under way, which may have taken touches
		}
		s.flush()
		s.opening.close()
		s.end()
		s.background.Wait()
		if f := s.current.Swap(nil); f != nil {
			err = f.close()
		}
	})
	return err
}

// unavailable makes an error of this store out of err, if there is one.
func (s *Store) unavailable(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %s: %w", sessionstore.ErrUnavailable, s.o.Path, err)
}

var _ sessionstore.Store = (*Store)(nil)
