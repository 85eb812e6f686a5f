// Package pace is a clock for tests that say how long something may take. It stops while the
// machine does not run the process, as shared machines do for seconds.
package pace

import (
	"sync"
	"time"
)

const (
	// beat is how often a process that runs looks at the clock.
	beat = 5 * time.Millisecond

	// late is the least time between two looks that counts as standing still.
	late = 5 * beat
)

type clock struct {
	mu   sync.Mutex
	last time.Duration // the last look
	lost time.Duration // how long the process did not run
}

// look returns for how long the process ran until now.
func (c *clock) look(now time.Duration) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if gap := now - c.last; gap > late {
		c.lost += gap - beat
	}
	c.last = max(c.last, now)
	return c.last - c.lost
}

// started returns the clock of this process, which begins with the first call.
var started = sync.OnceValue(func() func() time.Duration {
	c, start := new(clock), time.Now()
	look := func() time.Duration { return c.look(time.Since(start)) }
	go func() {
		for {
			time.Sleep(beat)
			look()
		}
	}()
	return look
})

// Ran returns for how long this process has been running since the first call.
func Ran() time.Duration { return started()() }
