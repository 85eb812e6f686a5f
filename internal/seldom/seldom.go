// Package seldom limits how often a warning is logged that would otherwise be logged at each
// request.
package seldom

import (
	"sync/atomic"
	"time"
)

// interval is the minimum time between two equal warnings.
const interval = time.Minute

// Warning is a warning to log at most once per [interval]. Its zero value is ready to use, also
// concurrently.
type Warning struct {
	next atomic.Int64 // Unix time in nanoseconds
}

// Due reports whether to log the warning now. The caller must then log it. A clock that was set
// back does not keep it from being logged.
func (w *Warning) Due() bool {
	now, next := time.Now(), w.next.Load()
	later := now.Add(interval).UnixNano()
	return (now.UnixNano() >= next || next > later) && w.next.CompareAndSwap(next, later)
}
