package redis

import (
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/test/redistest"
)

// pausedFor is how long a server is paused.
const pausedFor = 3 * time.Second

// pass waits while a fault lasts.
func (r *run) pass(d time.Duration) { time.Sleep(d) }

// TestOneServer runs one server that syncs every write to disk before it answers. It must lose
// nothing.
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
	// A proxy's copy may be a second older than the other proxy's writes, but not older than its
	// own clients' writes.
	t.Run("near cache", func(t *testing.T) {
		r := startRun(t, "store redis "+s.Addr()+" {\n near_cache")
		r.killClients(s)
		r.killServer(s)
		r.finish(rules{stale: maxStaleness})
	})
}

// maxStaleness is the guarantee of near_cache.
const maxStaleness = time.Second
