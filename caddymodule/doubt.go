package caddymodule

import (
	"sync/atomic"

	"go.uber.org/zap"

	"github.com/caddy-session/caddy-session/internal/seldom"
)

// doubt warns where an app's cookies name no session as a setting of the dialect may be another than the app's. As soon as a session
// has been found, none is.
type doubt struct {
	settled atomic.Bool
	warning seldom.Warning
}

// consider looks at what has become of the cookies of a request whose store has answered.
func (d *doubt) consider(x *exchange, verified bool) {
	if x.h.format.Doubt == nil || d.settled.Load() || len(x.Cookies) == 0 {
		return
	}
	if x.Session.Exists() {
		d.settled.Store(true)
		return
	}
	if why := x.h.format.Doubt(x.Cookies[0], verified); why != "" && d.warning.Due() {
		x.h.logger.Warn("a cookie of the app's name is no session here", zap.String("reason", why))
	}
}
