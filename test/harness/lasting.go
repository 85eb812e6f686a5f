package harness

import (
	"os"
	"time"
)

// long reports whether what tests do for a time they do as long as they should, which is the case on CI.
var long = os.Getenv("CI") == "true" || os.Getenv("SESSION_TEST_LONG") != ""

// Lasting returns one of two durations: how long something lasts on CI, or where the environment variable SESSION_TEST_LONG is set;
// or else how long it lasts here.
func Lasting(onCI, here time.Duration) time.Duration {
	if long {
		return onCI
	}
	return here
}
