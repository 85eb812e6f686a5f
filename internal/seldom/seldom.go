// Package seldom has an operator told of one thing now and then, and not at each request.
package seldom

import (
	"sync/atomic"
	"time"
)

// Interval is how often a [Warning] is due.
const Interval = time.Minute

// Warning is a line of the log that would otherwise be there at each request. It may be used by many goroutines at once.
type Warning struct {
	next atomic.Int64 // in nanoseconds of Unix
}

// Due reports whether the warning is to be given now: it is once in each interval at most. Whoever asks gives it.
func (w *Warning) Due() bool {
	now, next := time.Now(), w.next.Load()
	return now.UnixNano() >= next && w.next.CompareAndSwap(next, now.Add(Interval).UnixNano())
}
