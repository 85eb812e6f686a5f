// Package combiner turns many small pieces of work that must be done one at a
// time into few large ones: whoever comes while a batch is being run waits, and
// all who wait make up the next batch.
//
// It keeps its own time: alone, an item is run at once, as a batch of one; the
// longer a batch takes, the more items the next one holds.
package combiner

import (
	"context"
	"runtime"
	"sync"
	"time"
)

// Combiner runs the items that goroutines hand to [Combiner.Do] in batches, never
// two batches at once, first come, first served. All methods may be called by
// many goroutines at once. Make one with [New] or [NewDetached].
type Combiner[T any] struct {
	max      int
	run      func(batch []T)
	detached bool
	yields   bool
	gather   time.Duration

	mu      sync.Mutex
	busy    bool // a batch is being run, or somebody has been told to run the next
	waiting queue[T]
	back    returns

	// These belong to whoever runs a batch.
	batch  []T
	owners []*waiter[T]
}

// New returns a combiner whose batches are run by the goroutines that wait for
// them: one that finds nobody at work runs its item itself, without allocating,
// and each runs one batch at most before it passes the lead to the first in the
// queue, so that nobody is kept busy with the work of others. The price: whoever
// runs a batch does not come back before run does, even if its context ends.
//
// At most max items make a batch; below 1 there is no limit. The slice is valid
// until run returns.
func New[T any](max int, run func(batch []T)) *Combiner[T] {
	return &Combiner[T]{max: max, run: run}
}

// NewYielding is [New] with batches that begin only when the goroutines that are ready to run have
// had their turn, as they may bring items too. So a busy process makes larger batches, later; an
// idle one makes them at once.
func NewYielding[T any](max int, run func(batch []T)) *Combiner[T] {
	return &Combiner[T]{max: max, run: run, yields: true}
}

// NewDetached is [New] with batches run by goroutines of their own, so that every
// caller returns as soon as its context ends, whatever run is doing. Finding
// nobody at work costs the start of a goroutine.
//
// With gather above zero, a batch begins only when as many items wait as did at
// the end of the last batch together with those that were in it, but no later
// than that long after the last batch. So callers that come back with more work,
// as busy ones do, share a batch with those who waited in the meantime, instead
// of taking turns with them; one that is alone never waits.
func NewDetached[T any](max int, gather time.Duration, run func(batch []T)) *Combiner[T] {
	return &Combiner[T]{max: max, run: run, detached: true, gather: gather}
}

// Do has item run in some batch and waits for the end of that batch.
//
// When ctx ends first, Do returns its error. An item that was still in the queue
// is then never run. One that was in a batch is run all the same, so run must not
// need the caller, and the caller must not look at what run writes: results that
// run leaves in an item are the caller's only when Do returns nil.
//
// If run panics, the callers of its batch get a [*PanicError], the panic goes no
// further, and the combiner stays usable. If run leaves by [runtime.Goexit], they
// get [ErrExited].
func (c *Combiner[T]) Do(ctx context.Context, item T) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.mu.Lock()
	if !c.busy && !c.detached {
		// Nobody at work means that nobody waits either.
		c.busy = true
		c.batch = append(c.batch, item)
		c.mu.Unlock()
		if c.yields {
			runtime.Gosched()
			c.mu.Lock()
			c.take()
			c.mu.Unlock()
		}
		return c.runBatch()
	}
	w := &waiter[T]{item: item, wake: make(chan error, 1)}
	c.waiting.push(w)
	c.back.came(c.waiting.len)
	if !c.busy {
		c.busy = true
		go c.work()
	}
	c.mu.Unlock()
	return c.wait(ctx, w)
}

// wait waits for the end of w's batch, or for w's turn to run one.
func (c *Combiner[T]) wait(ctx context.Context, w *waiter[T]) error {
	select {
	case err := <-w.wake:
		if err != errLead {
			return err
		}
		if ctx.Err() == nil {
			return c.lead(w)
		}
	case <-ctx.Done():
	}

	c.mu.Lock()
	defer c.mu.Unlock()
	if w.taken {
		select {
		case err := <-w.wake: // both at once: what was done counts
			return err
		default:
			return ctx.Err()
		}
	}
	c.waiting.remove(w)
	if w.leads {
		c.passOn()
	}
	return ctx.Err()
}
