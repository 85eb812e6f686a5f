package dialects

import (
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"
)

const minLifetime = time.Second

// Lifetime returns a configured lifetime, or the framework's default if none is.
func Lifetime(configured caddy.Duration, byDefault time.Duration) (time.Duration, error) {
	if configured == 0 {
		return byDefault, nil
	}
	if time.Duration(configured) < minLifetime {
		return 0, fmt.Errorf("lifetime: %s is shorter than a second", time.Duration(configured))
	}
	return time.Duration(configured), nil
}
