package harness

import (
	"os"
	"time"
)

// long reports whether tests that run for a time take their full time: on CI.
var long = os.Getenv("CI") == "true" || os.Getenv("SESSION_TEST_LONG") != ""

// Lasting returns the first duration on CI or if the environment variable SESSION_TEST_LONG is set,
// else the second.
func Lasting(onCI, here time.Duration) time.Duration {
	if long {
		return onCI
	}
	return here
}
