// Package redis does to Redis whatever may happen to it, while two proxies with 64 clients use it. Afterwards a checker reads
// the history: what was answered is there, nothing happened twice, no session shows another's data, and
// nobody has waited longer than was promised.
//
// It is a package of its own, so that its minute of load does not come on top of the other faults'. What else the machine
// does meanwhile, with go test ./... or on its own, is measured beside each request: see pace.
package redis

import (
	"os"
	"sync"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// long reports whether the tests take the minute that they should take on CI. Without it they do the same
// to the servers, with shorter pauses.
var long = os.Getenv("CI") == "true" || os.Getenv("SESSION_TEST_LONG") != ""

// lasting returns one of two durations: how long something lasts on CI, or here.
func lasting(onCI, here time.Duration) time.Duration {
	if long {
		return onCI
	}
	return here
}

// load is held by the test whose clients are at work. The servers of the others start meanwhile.
var load sync.Mutex
