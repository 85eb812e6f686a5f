package bolt

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"
)

const (
	// heldPause is how long to wait before another look at a file that another
	// process holds: as long as a restart may take longer.
	heldPause = 200 * time.Millisecond

	// failedPause is how long to wait after any other failure.
	failedPause = time.Second

	// damagedPause is how often to look whether a damaged file has been replaced.
	damagedPause = 5 * time.Second
)

// opening is how far the store is with opening its file.
type opening struct {
	mu      sync.Mutex
	begun   bool
	closed  bool
	attempt chan struct{} // closed at the end of the attempt that operations wait for; nil: they wait for none
	failure error         // of the last attempt
}

// file returns the open file, and waits for it if it is being opened.
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
		select {
		case <-attempt:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// await returns what to wait for until there is a file, or why there is none. It
// begins with opening when nobody has.
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
	switch {
	case o.attempt != nil:
		return o.attempt, nil
	case o.failure == nil:
		return ended, nil // it has just been opened
	default:
		return nil, o.failure
	}
}

// ended is an attempt that is over.
var ended = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// wait has operations wait for the attempt that is being made.
func (o *opening) wait() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.attempt == nil {
		o.attempt = make(chan struct{})
	}
}

// end ends an attempt. The next is one that nobody waits for, unless it gets as
// far as to the lock.
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

// close has nothing be opened from here on, and nobody wait for it.
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

// open tries to open the file until it succeeds. It returns nil when the store is
// closed.
func (s *Store) open() *file {
	for {
		seen, _ := os.Stat(s.o.Path)
		f, err := s.openFile()
		if err == nil {
			s.current.Store(f)
		}
		if s.opening.end(err) {
			s.o.OnError(s.report(err))
		}
		if err == nil {
			return f
		}
		if !s.rest(err, seen) {
			return nil
		}
	}
}

func (s *Store) report(err error) error {
	if err == nil {
		return nil
	}
	return s.unavailable(err)
}

// rest waits until another attempt makes sense, after one that has found seen. It
// returns false when the store is closed.
func (s *Store) rest(err error, seen os.FileInfo) bool {
	pause, damaged := failedPause, false
	switch {
	case errors.Is(err, ErrHeld):
		pause = heldPause
	case errors.Is(err, ErrDamaged), errors.Is(err, ErrForeign):
		pause, damaged = damagedPause, true
	}
	if s.o.pause > 0 {
		pause = s.o.pause
	}
	for {
		select {
		case <-s.quit:
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
