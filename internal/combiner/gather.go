package combiner

import "time"

// returns tells when those that are expected back have come. It belongs to the
// combiner's lock.
type returns struct {
	since    time.Time // the end of the last batch
	expected int       // how many are to wait then

	awaited int           // how many somebody waits for; 0 if nobody does
	all     chan struct{} // closed when they are there
}

// came is called when there are n in the queue.
func (r *returns) came(n int) {
	if r.awaited > 0 && n >= r.awaited {
		r.awaited = 0
		close(r.all)
	}
}

// expectReturns notes who is to wait for the next batch, before those of the last
// one are woken: whoever of them is back by then would be counted twice.
func (c *Combiner[T]) expectReturns(done int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.back.since = time.Now()
	c.back.expected = done + c.waiting.len
	if c.max > 0 {
		c.back.expected = min(c.back.expected, c.max)
	}
}

// awaitReturns waits until those that are expected back are in the queue, but no
// longer than allowed. c.mu is held, and given up meanwhile.
func (c *Combiner[T]) awaitReturns() {
	if c.gather <= 0 || c.waiting.len >= c.back.expected {
		return
	}
	left := c.gather - time.Since(c.back.since)
	if left <= 0 {
		return
	}
	c.back.awaited = c.back.expected
	c.back.all = make(chan struct{})
	all := c.back.all
	c.mu.Unlock()
	timer := time.NewTimer(left)
	select {
	case <-all:
	case <-timer.C:
	}
	timer.Stop()
	c.mu.Lock()
	c.back.awaited = 0
}
