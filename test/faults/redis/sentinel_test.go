package redis

import (
	"testing"

	"github.com/caddy-session/caddy-session/test/redistest"
)

// TestSentinel has other servers take the master's place. What the master had answered, and not sent to them yet,
// is lost: it is counted. With wait_replicas nothing may be.
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
				r.t.Error("the master is the same")
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
	// A failover that an operator asks for while the old master is well needs both replicas: between the moment when one of
	// them takes over and the moment when the old master learns of it, the old one still answers, and
	// the other one still confirms.
	t.Run("wait_replicas 2", func(t *testing.T) {
		r := startRun(t, store+" wait_replicas 2\n")
		failover(r)
		r.finish(rules{outdated: true})
	})
}
