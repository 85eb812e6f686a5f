package stores

import (
	"sync/atomic"
	"time"
)

// warnEvery is how often an operator is told of one thing.
const warnEvery = time.Minute

// Sparingly returns a function that calls warn, but not within a minute after the last time. It may be called by many goroutines at
// once.
func Sparingly(warn func()) func() {
	var next atomic.Int64
	return func() {
		now := time.Now()
		if due := next.Load(); now.UnixNano() >= due && next.CompareAndSwap(due, now.Add(warnEvery).UnixNano()) {
			warn()
		}
	}
}
