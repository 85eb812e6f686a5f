package bolt

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	// touchDelay is how long a touch waits for a change that it can be written with.
	touchDelay = 50 * time.Millisecond

	// maxTouches is how many touches wait: some seconds of a very busy server whose disk is stuck.
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
	mu    sync.Mutex
	wait  map[string]touch
	timed bool // flush is about to be called
}

// add keeps a touch. It calls flush after [touchDelay], once for all that are added until then.
func (t *touches) add(key string, one touch, flush func()) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, known := t.wait[key]
	switch {
	case !known && len(t.wait) >= maxTouches:
		return errTouches
	case t.wait == nil:
		t.wait = make(map[string]touch)
	}
	t.wait[key] = one
	if !t.timed {
		t.timed = true
		time.AfterFunc(touchDelay, flush)
	}
	return nil
}

// take returns at most n touches and forgets them.
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

// putBack keeps touches that could not be written. They go with the next change, without a timer,
// so that a failing disk gets no more work.
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

// due reports whether touches wait, when flush is called.
func (t *touches) due() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.timed = false
	return len(t.wait) > 0
}

// flush writes the touches that wait.
func (s *Store) flush() {
	for s.touches.due() {
		f := s.current.Load()
		if f == nil {
			return // they wait for the file
		}
		if err := f.nudge(); err != nil {
			if s.alive.Err() == nil { // a store that is closed has written them
				s.o.OnError(fmt.Errorf("writing touches: %w", err))
			}
			return
		}
	}
}

// nudge has a batch run that writes touches, after the batches before it.
func (f *file) nudge() error {
	o := &op{kind: nudgeOp}
	if err := f.commits.Do(f.alive, o); err != nil {
		return err
	}
	return o.err
}
