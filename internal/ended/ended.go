// Package ended counts the sessions that have ended.
package ended

import "github.com/prometheus/client_golang/prometheus"

// Total is the metric. It belongs to the process.
var Total = prometheus.NewCounterVec(prometheus.CounterOpts{
	Name: "caddy_session_ended_total",
	Help: "Sessions that have ended, by the cause. Only some stores know which have expired.",
}, []string{"cause"})

// The causes.
var (
	Destroyed = Total.WithLabelValues("destroyed") // by the app
	Expired   = Total.WithLabelValues("expired")   // by a timeout, where the store can tell
	Revoked   = Total.WithLabelValues("revoked")   // by an operator, or from another session of the user
	Evicted   = Total.WithLabelValues("evicted")   // by a store that is full
	Limit     = Total.WithLabelValues("limit")     // because the user had too many
)
