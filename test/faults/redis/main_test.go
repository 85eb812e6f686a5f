// Package redis disturbs Redis in every way that may happen while 64 clients use it through two
// proxies. Then a checker reads the history: confirmed changes are kept, nothing is applied twice,
// no session shows another's data, and nobody waited longer than promised.
//
// It is a separate package so that its minute of load does not add to that of the other faults.
// What else the machine does meanwhile is measured with each request: see pace.
package redis

import (
	"os"
	"sync"
	"testing"

	"github.com/caddy-session/caddy-session/internal/longtest"
)

// All of these tests are long.
func TestMain(m *testing.M) {
	longtest.Tests()
	os.Exit(m.Run())
}

// load is held by the test whose clients run. The servers of other tests start meanwhile.
var load sync.Mutex
