package combiner

import "time"

// returns tells when the callers that are expected back have arrived. The combiner's lock protects
// it.
type returns struct {
	since    time.Time // the end of the last batch
	expected int       // the size of the queue to wait for

	awaited int           // the size that a goroutine waits for; 0 if none does
	all     chan struct{} // closed when the queue has that size
}

// came is called when the queue has grown to n.
func (r *returns) came(n int) {
	if r.awaited > 0 && n >= r.awaited {
		r.awaited = 0
		close(r.all)
	}
}

// expectReturns notes the size to wait for. It must run before the callers of the last batch are
// woken, or those that are back already would count twice.
func (c *Combiner[T]) expectReturns(done int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.back.since = time.Now()
	c.back.expected = done + c.waiting.len
	if c.max > 0 {
		c.back.expected = min(c.back.expected, c.max)
	}
}

// awaitReturns waits until the expected callers are in the queue, but no longer than gather allows.
// c.mu is held, and released while waiting.
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
