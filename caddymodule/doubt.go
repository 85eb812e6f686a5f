package caddymodule

import (
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// doubt warns where an app's cookies name no session as a setting of the dialect may be another than the app's. As soon as a session
// has been found, none is.
type doubt struct {
	settled atomic.Bool
	last    atomic.Int64 // when it was warned, in Unix seconds
}

// doubtInterval is how often it is warned at most.
const doubtInterval = time.Minute

// consider looks at what has become of the cookies of a request whose store has answered.
func (d *doubt) consider(x *exchange, verified bool) {
	if x.h.format.Doubt == nil || d.settled.Load() || len(x.Cookies) == 0 {
		return
	}
	if x.Session.Exists() {
		d.settled.Store(true)
		return
	}
	why := x.h.format.Doubt(x.Cookies[0], verified)
	now, last := time.Now().Unix(), d.last.Load()
	if why == "" || now-last < int64(doubtInterval/time.Second) || !d.last.CompareAndSwap(last, now) {
		return
	}
	x.h.logger.Warn("a cookie of the app's name is no session here", zap.String("reason", why))
}
