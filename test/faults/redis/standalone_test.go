package redis

import (
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/test/redistest"
)

// pausedFor is how long a server is stopped.
const pausedFor = 3 * time.Second

// pass lets time pass in which something is wrong.
func (r *run) pass(d time.Duration) { time.Sleep(d) }

// TestOneServer is one server that has on disk what it answers. It must lose nothing.
func TestOneServer(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, redistest.Options{AOF: true, Config: []string{"maxmemory-policy noeviction"}})
	t.Run("plain", func(t *testing.T) {
		r := startRun(t, "store redis "+s.Addr()+" {")
		r.flushScripts(s)
		r.killClients(s)
		r.killServer(s)
		r.pauseServer(s)
		r.fillMemory(s)
		r.finish(rules{})
	})
	// What one proxy has copied may be a second older than what the other has written. Its own clients must not see that.
	t.Run("near cache", func(t *testing.T) {
		r := startRun(t, "store redis "+s.Addr()+" {\n near_cache")
		r.killClients(s)
		r.killServer(s)
		r.finish(rules{stale: maxStaleness})
	})
}

// maxStaleness is what near_cache promises.
const maxStaleness = time.Second
