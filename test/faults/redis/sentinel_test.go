package redis

import (
	"testing"

	"github.com/caddy-session/caddy-session/test/redistest"
)

// TestSentinel replaces the master. What it confirmed before its replicas had it is lost, and
// counted. With wait_replicas, nothing may be lost.
func TestSentinel(t *testing.T) {
	t.Parallel()
	s := redistest.StartSentinel(t, redistest.Options{AOF: true})
	store := "store redis"
	for _, addr := range s.Addrs() {
		store += " " + addr
	}
	store += " {\n master " + s.MasterName + "\n"
	failover := func(r *run) {
		r.fault("failover", func() {
			master := s.Master()
			if s.Failover() == master {
				r.t.Error("the master has not changed")
			}
			s.WaitOK()
		})
	}
	kill := func(r *run) {
		master := s.Master()
		r.killMaster(master, func() { s.WaitMaster(master) }, s.WaitOK)
	}
	pause := func(r *run) {
		master := s.Master()
		r.pauseMaster(master, func() { s.WaitMaster(master) }, s.WaitOK)
	}
	t.Run("master only", func(t *testing.T) {
		r := startRun(t, store)
		failover(r)
		kill(r)
		pause(r)
		r.finish(rules{mayLose: true, outdated: true})
	})
	t.Run("wait_replicas 1", func(t *testing.T) {
		r := startRun(t, store+" wait_replicas 1\n")
		kill(r)
		pause(r)
		r.finish(rules{outdated: true})
	})
	// A failover that an operator starts while the old master is healthy needs both replicas:
	// between the promotion of one and the moment when the old master learns of it, the old one
	// still answers and the other one still acknowledges.
	t.Run("wait_replicas 2", func(t *testing.T) {
		r := startRun(t, store+" wait_replicas 2\n")
		failover(r)
		r.finish(rules{outdated: true})
	})
}
