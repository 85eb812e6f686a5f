// Package combiner combines small items of work that must run one at a time into batches: items
// that arrive during a batch make up the next one.
//
// A single item runs at once, as a batch of one. The longer a batch takes, the more items the next
// one has.
package combiner

import (
	"context"
	"runtime"
	"sync"
	"time"
)

// Combiner runs the items given to [Combiner.Do] in batches, one batch at a time, in the order of
// arrival. Its methods may be called concurrently. [New], [NewYielding] and [NewDetached] return
// one.
type Combiner[T any] struct {
	max      int
	run      func(batch []T)
	detached bool
	yields   bool
	gather   time.Duration

	mu      sync.Mutex
	busy    bool // a batch is running, or a caller has been told to run the next
	waiting queue[T]
	back    returns

	// These belong to the goroutine that runs a batch.
	batch  []T
	owners []*waiter[T]
}

// New returns a combiner whose batches run in the goroutines of the callers. A caller that finds
// the combiner idle runs its item itself, without allocating. Each caller runs at most one batch
// and then passes the lead to the first in the queue. The price: the caller that runs a batch does
// not return before run does, even if its context ends.
//
// A batch has at most max items; 0 or less means no limit. The slice is valid until run returns.
func New[T any](max int, run func(batch []T)) *Combiner[T] {
	return &Combiner[T]{max: max, run: run}
}

// NewYielding is [New] with one difference: before a batch begins, all runnable goroutines get
// their turn, since they may add items. A busy process makes larger batches, later; an idle one
// makes them at once.
func NewYielding[T any](max int, run func(batch []T)) *Combiner[T] {
	return &Combiner[T]{max: max, run: run, yields: true}
}

// NewDetached is [New] with batches in goroutines of their own, so that every caller returns as
// soon as its context ends. A call on an idle combiner costs the start of a goroutine.
//
// If gather is positive, a batch waits for the callers of the last one to return with another item,
// but at most until gather after the end of the last batch. Busy callers then share a batch with
// those who waited in the meantime, instead of alternating with them. A single caller never waits.
func NewDetached[T any](max int, gather time.Duration, run func(batch []T)) *Combiner[T] {
	return &Combiner[T]{max: max, run: run, detached: true, gather: gather}
}

// Do runs item in a batch and waits for the end of that batch.
//
// If ctx ends first, Do returns its error. An item that is still in the queue is then never run. An
// item that is in a batch is still run: run must not depend on the caller, and the caller may read
// results in the item only if Do returns nil.
//
// If run panics or calls [runtime.Goexit], the callers of its batch get an error, and the combiner
// stays usable. It is unknown then whether their items were run.
func (c *Combiner[T]) Do(ctx context.Context, item T) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.mu.Lock()
	if !c.busy && !c.detached {
		// An idle combiner has an empty queue.
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
		case err := <-w.wake: // both at once: the result of the batch counts
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
