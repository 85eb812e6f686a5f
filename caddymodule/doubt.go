package caddymodule

import (
	"sync/atomic"

	"go.uber.org/zap"

	"github.com/caddy-session/caddy-session/internal/seldom"
)

// doubt warns that the settings of the dialect may differ from the app's, because the app's cookies
// lead to no session. It stops when the first session has been found.
type doubt struct {
	settled atomic.Bool
	warning seldom.Warning
}

// consider looks at the cookies of a request after the session was looked up without an error.
func (d *doubt) consider(x *exchange, verified bool) {
	if x.h.format.Doubt == nil || d.settled.Load() || len(x.Cookies) == 0 {
		return
	}
	if x.Session.Exists() {
		d.settled.Store(true)
		return
	}
	if why := x.h.format.Doubt(x.Cookies[0], verified); why != "" && d.warning.Due() {
		x.h.logger.Warn("no session found for the app's cookie", zap.String("reason", why))
	}
}
