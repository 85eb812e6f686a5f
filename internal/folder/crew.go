package folder

import (
	"cmp"
	"context"
	"sync"
	"time"

	"github.com/caddy-session/caddy-session/internal/locks"
)

// Crew works on the files of a folder in the background, because nothing ends an operation that
// waits for the disk. Make one with [NewCrew].
type Crew struct {
	place   *Place
	slots   chan struct{}
	working sync.WaitGroup
}

// NewCrew returns a crew for a folder. It does at most size things at once: each may block a
// thread.
func NewCrew(place *Place, size int) *Crew {
	return &Crew{place: place, slots: make(chan struct{}, size)}
}

// afterEnd is how long work may take to say why it has ended with its context.
const afterEnd = 10 * time.Millisecond

// Run calls work and returns what it returns. It fails if the folder is not in place before or
// after that. When ctx ends, Run returns, and work continues.
func Run[T any](ctx context.Context, c *Crew, work func() (T, error)) (T, error) {
	type result struct {
		found T
		err   error
	}
	if err := ctx.Err(); err != nil {
		return result{}.found, err
	}
	select {
	case c.slots <- struct{}{}:
	case <-ctx.Done():
		return result{}.found, ctx.Err()
	}
	done := make(chan result, 1)
	c.working.Go(func() {
		defer func() { <-c.slots }()
		if err := c.place.Check(); err != nil {
			done <- result{err: err}
			return
		}
		found, err := work()
		if gone := c.place.Check(); gone != nil {
			done <- result{err: gone}
			return
		}
		done <- result{found, err}
	})
	select {
	case r := <-done:
		return r.found, r.err
	case <-ctx.Done():
	}
	select {
	case r := <-done:
		return r.found, r.err
	case <-time.After(afterEnd):
		return result{}.found, ctx.Err()
	}
}

// Idle lets others work while wait waits. Only work may call it.
func (c *Crew) Idle(wait func()) {
	<-c.slots
	wait()
	c.slots <- struct{}{}
}

// Turn waits for a turn until ctx ends. Who changes the same file queues there, as the lock on the
// file can only be polled. It fails if the folder is no longer in place then. Only work may call
// it.
func (c *Crew) Turn(ctx context.Context, turns *locks.Table, path string) (err error) {
	c.Idle(func() { err = turns.Lock(ctx, path) })
	if err != nil {
		return err
	}
	if err = cmp.Or(ctx.Err(), c.place.Check()); err != nil { // the slot may have come much later
		turns.Unlock(path)
	}
	return err
}

// Wait returns when all work is done.
func (c *Crew) Wait() { c.working.Wait() }
