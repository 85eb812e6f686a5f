package bolt

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"github.com/caddy-session/caddy-session/internal/boltfile"
)

const (
	// heldPause is the time between attempts to open a file that another process holds. A restart
	// may take that much longer.
	heldPause = 200 * time.Millisecond

	// failedPause is the time between attempts after other failures.
	failedPause = time.Second

	// damagedPause is how often to look whether a damaged file was replaced.
	damagedPause = 5 * time.Second
)

// opening is the state of a store that opens its file.
type opening struct {
	mu      sync.Mutex
	begun   bool
	closed  bool
	attempt chan struct{} // closed at the end of the attempt; nil: operations do not wait for it
	failure error         // of the last attempt
}

// file returns the open file. It waits while the file is being opened.
func (s *Store) file(ctx context.Context) (*file, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for {
		if f := s.current.Load(); f != nil {
			return f, nil
		}
		attempt, err := s.await()
		if err != nil {
			return nil, err
		}
		if attempt == nil {
			continue // the file was opened just now
		}
		select {
		case <-attempt:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// await returns the attempt to wait for, if there is one, or why the file is not open. The first
// call starts opening it.
func (s *Store) await() (<-chan struct{}, error) {
	o := &s.opening
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return nil, errClosed
	}
	if !o.begun {
		o.begun = true
		o.attempt = make(chan struct{})
		s.background.Go(s.run)
	}
	if o.attempt != nil {
		return o.attempt, nil
	}
	return nil, o.failure
}

// wait makes operations wait for the attempt under way.
func (o *opening) wait() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.attempt == nil {
		o.attempt = make(chan struct{})
	}
}

// end ends an attempt, and reports whether its outcome is another than the last one's. Operations
// do not wait for the next attempt, unless it gets the lock on the file.
func (o *opening) end(failure error) (news bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	news = (failure == nil) != (o.failure == nil) || failure != nil && failure.Error() != o.failure.Error()
	o.failure = failure
	if o.attempt != nil {
		close(o.attempt)
		o.attempt = nil
	}
	return news
}

// close makes operations fail from here on, unless the file is open.
func (o *opening) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
}

// run opens the file and sweeps it, until the store is closed.
func (s *Store) run() {
	for {
		f := s.open()
		if f == nil {
			return
		}
		s.sweep(f)
		if f.alive.Err() == nil {
			return
		}
		s.opening.wait()
		s.current.CompareAndSwap(f, nil)
		_ = f.abandon()
	}
}

// open tries to open the file until it succeeds. It returns nil if the store is closed first.
func (s *Store) open() *file {
	for {
		seen, _ := os.Stat(s.o.Path)
		f, err := s.openFile()
		if err == nil {
			s.current.Store(f)
		}
		if s.opening.end(err) && s.alive.Err() == nil {
			s.o.OnError(s.unavailable(err))
		}
		if err == nil {
			return f
		}
		if !s.rest(err, seen) {
			return nil
		}
	}
}

// rest waits until the next attempt to open the file, which was as seen before the last one. A file
// that is damaged or foreign must change first. rest returns false if the store is closed.
func (s *Store) rest(err error, seen os.FileInfo) bool {
	pause, damaged := failedPause, false
	switch {
	case errors.Is(err, ErrHeld):
		pause = heldPause
	case errors.Is(err, boltfile.ErrDamaged), errors.Is(err, boltfile.ErrForeign):
		pause, damaged = damagedPause, true
	}
	if s.o.pause > 0 {
		pause = s.o.pause
	}
	for {
		select {
		case <-s.alive.Done():
			return false
		case <-time.After(pause):
		}
		now, err := os.Stat(s.o.Path)
		if !damaged || err != nil || seen == nil || !os.SameFile(now, seen) ||
			now.Size() != seen.Size() || !now.ModTime().Equal(seen.ModTime()) {
			return true
		}
	}
}
