package redis

import (
	"strconv"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/test/harness"
	"github.com/caddy-session/caddy-session/test/redistest"
)

// info returns a section of INFO.
func info(t *testing.T, s *redistest.Server, section string) map[string]string {
	t.Helper()
	reply, err := s.Do("INFO", section)
	if err != nil {
		t.Fatal(err)
	}
	fields := make(map[string]string)
	for line := range strings.Lines(reply.(string)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		fields[name] = value
	}
	return fields
}

// refusals returns how often a server has returned an error.
func refusals(t *testing.T, s *redistest.Server, kind string) int {
	t.Helper()
	return number(strings.TrimPrefix(info(t, s, "errorstats")["errorstat_"+kind], "count="))
}

func number(text string) int {
	n, _ := strconv.Atoi(text)
	return n
}

func do(t *testing.T, s *redistest.Server, args ...any) any {
	t.Helper()
	reply, err := s.Do(args...)
	if err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	return reply
}

// flushScripts makes a server forget its scripts.
func (r *run) flushScripts(s *redistest.Server) {
	r.t.Helper()
	before := refusals(r.t, s, "NOSCRIPT")
	if info(r.t, s, "memory")["number_of_cached_scripts"] == "0" {
		r.t.Error("the server has no scripts")
	}
	r.fault("SCRIPT FLUSH", func() { do(r.t, s, "SCRIPT", "FLUSH") })
	if refusals(r.t, s, "NOSCRIPT") == before {
		r.t.Error("no client missed a script")
	}
	if info(r.t, s, "memory")["number_of_cached_scripts"] == "0" {
		r.t.Error("the scripts were not sent again")
	}
}

// killClients makes a server close all client connections, again and again: sometimes a change is
// made and its reply is lost.
func (r *run) killClients(s *redistest.Server) {
	r.t.Helper()
	before := number(info(r.t, s, "stats")["total_connections_received"])
	killed := int64(0)
	r.fault("CLIENT KILL", func() {
		for range 60 {
			n, _ := do(r.t, s, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes").(int64)
			killed += n
			r.pass(period / 16)
		}
	})
	if after := number(info(r.t, s, "stats")["total_connections_received"]); killed == 0 || after <= before {
		r.t.Errorf("%d connections were closed, %d opened since", killed, after-before)
	}
}

// pauseServer stops and continues the process. It executes then what it has received meanwhile.
func (r *run) pauseServer(s *redistest.Server) {
	r.t.Helper()
	n := r.fault("SIGSTOP", func() {
		s.Pause()
		r.pass(harness.Lasting(pausedFor, pausedFor/2))
		s.Resume()
	})
	if n == 0 {
		r.t.Error("no request was affected")
	}
}

// killServer kills the process and starts it again.
func (r *run) killServer(s *redistest.Server) {
	r.t.Helper()
	before := info(r.t, s, "server")["run_id"]
	n := r.fault("SIGKILL", func() {
		s.Kill()
		r.pass(harness.Lasting(pausedFor/3, pausedFor/6))
		s.Restart()
	})
	if n == 0 {
		r.t.Error("no request was affected")
	}
	if info(r.t, s, "server")["run_id"] == before {
		r.t.Error("the process is the same")
	}
}

// fillMemory fills a server's memory.
func (r *run) fillMemory(s *redistest.Server) {
	r.t.Helper()
	before := refusals(r.t, s, "OOM")
	n := r.fault("out of memory", func() {
		do(r.t, s, "CONFIG", "SET", "maxmemory", "1")
		r.pass(harness.Lasting(pausedFor/3, pausedFor/6))
		do(r.t, s, "CONFIG", "SET", "maxmemory", "0")
	})
	if n == 0 || refusals(r.t, s, "OOM") == before {
		r.t.Error("no request was affected")
	}
}

// killMaster kills a server that has replicas, and restarts it after the failover. replaced returns
// when there is another master, well when the old one has become its replica.
func (r *run) killMaster(master *redistest.Server, replaced, well func()) {
	r.t.Helper()
	n := r.fault("SIGKILL of a master", func() {
		master.Kill()
		replaced()
		master.Restart()
		well()
	})
	if n == 0 {
		r.t.Error("no request was affected")
	}
	r.isReplica(master)
}

// pauseMaster pauses a server that has replicas. When it continues, it still believes to be master
// and executes what it has received meanwhile.
func (r *run) pauseMaster(master *redistest.Server, replaced, well func()) {
	r.t.Helper()
	n := r.fault("SIGSTOP of a master", func() {
		master.Pause()
		replaced()
	})
	if n == 0 {
		r.t.Error("no request was affected")
	}
	r.fault("its return", func() {
		master.Resume()
		well()
	})
	r.isReplica(master)
}

func (r *run) isReplica(s *redistest.Server) {
	r.t.Helper()
	if role := info(r.t, s, "replication")["role"]; role != "slave" {
		r.t.Errorf("the old master is a %s", role)
	}
}

// migrate moves slots in use from one master of a Cluster to another. For a while, their keys are
// on either side.
func (r *run) migrate(c *redistest.Cluster, from, to *redistest.Server) {
	r.t.Helper()
	asked := refusals(r.t, from, "ASK")
	r.fault("slots migrated", func() {
		var migrations []*redistest.Migration
		for slot := range r.slotsInUse(c, from) {
			m := c.BeginMigration(slot, to)
			m.MoveKeys()
			if migrations = append(migrations, m); len(migrations) == 3 {
				break
			}
		}
		r.pass(2 * period)
		for _, m := range migrations {
			m.MoveKeys() // keys that were added meanwhile
			m.Finish()
		}
		if len(migrations) == 0 {
			r.t.Error("no slot is in use")
		}
	})
	if refusals(r.t, from, "ASK") == asked {
		r.t.Error("no request met a key that had moved")
	}
}

// slotsInUse returns the slots of shared sessions that a master serves.
func (r *run) slotsInUse(c *redistest.Cluster, master *redistest.Server) map[int]bool {
	r.t.Helper()
	slots := make(map[int]bool)
	for group := range sessions {
		if slot := c.SlotOf(key(r.crowd.current(group).get())); c.MasterOfSlot(slot) == master {
			slots[slot] = true
		}
	}
	return slots
}

// key is a session's key, found by the id in its cookie.
func key(cookie string) string {
	_, value, _ := strings.Cut(cookie, "=")
	id, _, _ := strings.Cut(value, ".")
	return "session:" + sessionstore.Ref(id)
}
