package harness

import (
	"time"

	"github.com/caddy-session/caddy-session/internal/longtest"
)

// Lasting returns the first duration if all tests run, else the second.
func Lasting(all, plain time.Duration) time.Duration {
	if longtest.All() {
		return all
	}
	return plain
}
