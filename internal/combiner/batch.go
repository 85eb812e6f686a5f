package combiner

import "runtime"

// lead runs a batch that begins with w, the first in the queue.
func (c *Combiner[T]) lead(w *waiter[T]) error {
	if c.yields {
		runtime.Gosched()
	}
	c.mu.Lock()
	c.waiting.remove(w)
	c.batch = append(c.batch, w.item)
	c.take()
	c.mu.Unlock()
	return c.runBatch()
}

// work runs a batch in a goroutine of its own.
func (c *Combiner[T]) work() {
	c.mu.Lock()
	c.awaitReturns()
	c.take()
	if len(c.batch) == 0 { // all callers have left the queue
		c.busy = false
		c.mu.Unlock()
		return
	}
	c.mu.Unlock()
	_ = c.runBatch()
}

// take fills the batch from the queue. c.mu is held.
func (c *Combiner[T]) take() {
	for w := c.waiting.first; w != nil && (c.max < 1 || len(c.batch) < c.max); w = c.waiting.first {
		c.waiting.remove(w)
		w.taken = true
		c.batch = append(c.batch, w.item)
		c.owners = append(c.owners, w)
	}
}

// runBatch runs the batch, wakes its callers and starts the next batch, even if run panics.
func (c *Combiner[T]) runBatch() (err error) {
	err = errExited
	defer func() {
		if p := recover(); p != nil {
			err = &panicError{p}
		}
		c.finish(err)
	}()
	c.run(c.batch)
	return nil
}

// finish wakes the callers before it starts the next batch, so that callers who return at once with
// another item can join that batch.
func (c *Combiner[T]) finish(err error) {
	if c.gather > 0 {
		c.expectReturns(len(c.batch))
	}
	for _, w := range c.owners {
		w.wake <- err
	}
	clear(c.owners)
	clear(c.batch)
	c.owners, c.batch = c.owners[:0], c.batch[:0]

	c.mu.Lock()
	c.passOn()
	c.mu.Unlock()
}

// passOn starts the next batch if the queue is not empty. c.mu is held.
func (c *Combiner[T]) passOn() {
	next := c.waiting.first
	switch {
	case next == nil:
		c.busy = false
	case c.detached:
		go c.work()
	default:
		next.leads = true
		next.wake <- errLead
	}
}
