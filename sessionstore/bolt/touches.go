package bolt

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	// touchDelay is how long a touch may wait for a change to be written along
	// with.
	touchDelay = 50 * time.Millisecond

	// maxTouches is how many may wait: some seconds of a very busy server whose
	// disk does not answer.
	maxTouches = 1 << 16
)

var errTouches = errors.New("too many touches wait to be written")

// touch is a deadline that waits to be written.
type touch struct {
	old      []byte
	deadline int64
}

// touches are those that wait, one for each key.
type touches struct {
	mu     sync.Mutex
	wait   map[string]touch
	timer  *time.Timer
	timed  bool // the timer runs
	closed bool
}

// add has flush called in time.
func (t *touches) add(key string, one touch, flush func()) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, known := t.wait[key]
	switch {
	case t.closed:
		return errClosed
	case !known && len(t.wait) >= maxTouches:
		return errTouches
	case t.wait == nil:
		t.wait = make(map[string]touch)
	}
	t.wait[key] = one
	if t.timed {
		return nil
	}
	t.timed = true
	if t.timer == nil {
		t.timer = time.AfterFunc(touchDelay, flush)
	} else {
		t.timer.Reset(touchDelay)
	}
	return nil
}

// take returns at most n touches that wait and forgets them.
func (t *touches) take(n int) map[string]touch {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.wait) <= n {
		taken := t.wait
		t.wait = nil
		return taken
	}
	taken := make(map[string]touch, n)
	for key, one := range t.wait {
		if len(taken) == n {
			break
		}
		taken[key] = one
		delete(t.wait, key)
	}
	return taken
}

// putBack has touches wait again that could not be written. They go along with
// the next change, without a timer: the disk needs no more to do.
func (t *touches) putBack(taken map[string]touch) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.wait == nil {
		t.wait = taken
		return
	}
	for key, one := range taken {
		if _, newer := t.wait[key]; !newer && len(t.wait) < maxTouches {
			t.wait[key] = one
		}
	}
}

// due reports whether some wait, after the timer has fired or instead of it.
func (t *touches) due() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.timed = false
	return len(t.wait) > 0
}

// close refuses further touches.
func (t *touches) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	if t.timer != nil {
		t.timer.Stop()
	}
}

// flush writes the touches that wait.
func (s *Store) flush() {
	for s.touches.due() {
		f := s.current.Load()
		if f == nil {
			return // they wait for the file
		}
		o := &op{kind: nudgeOp}
		err := f.commits.Do(f.alive, o)
		if err == nil {
			err = o.err
		}
		if err != nil {
			s.o.OnError(fmt.Errorf("writing touches: %w", err))
			return
		}
	}
}
