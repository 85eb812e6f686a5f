package sql

import (
	"time"

	"github.com/caddy-session/caddy-session/internal/breaker"
)

// guard is the circuit breaker of the database. While the database is down, a request fails in
// microseconds.
type guard struct {
	*breaker.Breaker

	// slow is the time after which a database without a reply counts as unreachable. A request that
	// had less time says nothing about the database.
	slow time.Duration
}

func newGuard(server string, o *Options) *guard {
	var onChange func(error)
	if o.OnState != nil {
		onChange = func(err error) { o.OnState(server, err) }
	}
	slow := min(o.DialTimeout, o.Timeout) / 2
	return &guard{breaker.New(slow, onChange), slow}
}
