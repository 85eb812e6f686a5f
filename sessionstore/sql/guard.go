package sql

import (
	"time"

	"github.com/caddy-session/caddy-session/internal/breaker"
)

// guard is a circuit breaker, so that a dead database costs a request microseconds and not a timeout each.
type guard struct {
	*breaker.Breaker

	// slow is when a database that has not answered yet counts as hanging. A request that had less time
	// says nothing about it.
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
