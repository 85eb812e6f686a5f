package redis

import (
	"testing"

	"github.com/caddy-session/caddy-session/test/redistest"
)

// TestCluster moves slots and kills masters. What a master confirmed before its replica had it is
// lost, and counted. With wait_replicas, nothing may be lost.
func TestCluster(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t, redistest.Options{AOF: true})
	store := "store redis"
	for _, addr := range c.Addrs() {
		store += " " + addr
	}
	store += " {\n"
	// The masters of the first and the last slot.
	first := func() *redistest.Server { return c.MasterOfSlot(0) }
	last := func() *redistest.Server { return c.MasterOfSlot(redistest.Slots - 1) }
	t.Run("master only", func(t *testing.T) {
		r := startRun(t, store)
		r.migrate(c, first(), last())
		r.killMaster(last(), c.WaitOK, c.WaitOK)
		r.pauseMaster(first(), c.WaitOK, c.WaitOK)
		r.finish(rules{mayLose: true, outdated: true})
	})
	// Until the old master is back, the new one has no replica, and its sessions cannot be changed.
	t.Run("wait_replicas", func(t *testing.T) {
		r := startRun(t, store+" wait_replicas 1\n")
		r.migrate(c, first(), last())
		r.killMaster(last(), c.WaitOK, c.WaitOK)
		r.finish(rules{outdated: true})
	})
}
