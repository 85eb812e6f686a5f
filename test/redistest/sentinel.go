package redistest

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"
)

// Sentinel is a master with two replicas, monitored by three Sentinels.
type Sentinel struct {
	// MasterName is the master's name in the Sentinels.
	MasterName string

	// Servers have the data; the first is the initial master.
	Servers []*Server

	// Sentinels are the Sentinel processes.
	Sentinels []*Server

	// TLS has the certificates, or is nil without TLS.
	TLS *TLS

	tb testing.TB
}

// StartSentinel runs the servers and Sentinels until the test ends. It returns when all are
// healthy.
func StartSentinel(tb testing.TB, opts Options) *Sentinel {
	tb.Helper()
	s := &Sentinel{tb: tb, MasterName: "mymaster", TLS: newTLSFor(tb, opts)}
	for range 3 {
		s.Servers = append(s.Servers, newServer(tb, standalone, opts, s.TLS))
		s.Sentinels = append(s.Sentinels, newServer(tb, sentinel, opts, s.TLS))
	}
	boot(tb, append(s.Servers, s.Sentinels...)...)
	master := s.Servers[0]
	for _, replica := range s.Servers[1:] {
		s.do(replica, "REPLICAOF", "127.0.0.1", master.Port)
		s.do(replica, "CONFIG", "REWRITE")
	}
	// Sentinels get the master only now: they look for its replicas at once and then not for a
	// while.
	s.await("the replicas", func() error { return attached(master, 2) })
	for _, watcher := range s.Sentinels {
		s.watch(watcher, master, cmp.Or(opts.DownAfter, time.Second))
	}
	s.WaitOK()
	return s
}

// watch tells a Sentinel to monitor the master.
func (s *Sentinel) watch(watcher, master *Server, downAfter time.Duration) {
	s.tb.Helper()
	s.do(watcher, "SENTINEL", "MONITOR", s.MasterName, "127.0.0.1", master.Port, 2)
	s.do(watcher, "SENTINEL", "SET", s.MasterName, "auth-user", adminUser, "auth-pass", adminPassword,
		"down-after-milliseconds", downAfter.Milliseconds(), "failover-timeout", 3000, "parallel-syncs", 2)
}

// hasten makes a Sentinel do at once what it does every 1, 2 or 10 s. It also keeps it from TILT
// mode, which lasts half a minute if the machine is busy for 2 s. The configuration file does not
// store this.
func (s *Server) hasten() error {
	_, err := s.Do("SENTINEL", "DEBUG", "info-period", 500, "publish-period", 200, "ask-period", 200,
		"ping-period", 200, "tilt-trigger", 20000, "slave-reconf-timeout", 2000)
	return err
}

// Addrs returns the addresses of the Sentinels.
func (s *Sentinel) Addrs() []string { return addrs(s.Sentinels) }

// Master returns the master in the view of the first Sentinel that answers.
func (s *Sentinel) Master() *Server {
	s.tb.Helper()
	err := errors.New("no live Sentinel")
	for _, watcher := range live(s.Sentinels) {
		var master *Server
		if master, err = s.master(watcher); err == nil {
			return master
		}
	}
	s.tb.Fatalf("asking Sentinels for the master: %v", err)
	return nil
}

func (s *Sentinel) master(watcher *Server) (*Server, error) {
	reply, err := watcher.Do("SENTINEL", "GET-MASTER-ADDR-BY-NAME", s.MasterName)
	if err != nil {
		return nil, err
	}
	addr, _ := reply.([]any)
	if len(addr) != 2 {
		return nil, fmt.Errorf("sentinel on port %d knows no master", watcher.Port)
	}
	for _, server := range s.Servers {
		if addr[1] == strconv.Itoa(server.Port) {
			return server, nil
		}
	}
	return nil, fmt.Errorf("unknown master on port %v", addr[1])
}

// Failover makes the Sentinels choose another master, and returns it when [Sentinel.WaitMaster]
// does.
func (s *Sentinel) Failover() *Server {
	s.tb.Helper()
	old := s.Master()
	s.await("the failover", func() error {
		watchers := live(s.Sentinels)
		if len(watchers) == 0 {
			return stop{errors.New("no live Sentinel")}
		}
		// The Sentinel refuses until it knows healthy replicas and has completed the previous
		// failover.
		_, err := watchers[0].Do("SENTINEL", "FAILOVER", s.MasterName)
		return err
	})
	return s.WaitMaster(old)
}

// WaitMaster waits until all live Sentinels name the same master, which is not old and knows that
// it is master, and returns it. The old master and the other replica may not know it yet: see
// [Sentinel.WaitOK].
func (s *Sentinel) WaitMaster(old *Server) *Server {
	s.tb.Helper()
	var master *Server
	s.await("a new master", func() (err error) {
		master, err = s.agreed()
		if err == nil && master == old {
			err = errors.New("still the old master")
		}
		return err
	})
	return master
}

// agreed returns the master if all live Sentinels name the same one.
func (s *Sentinel) agreed() (master *Server, err error) {
	for _, watcher := range live(s.Sentinels) {
		named, err := s.master(watcher)
		if err != nil {
			return nil, err
		}
		if master != nil && named != master {
			return nil, errors.New("the Sentinels disagree")
		}
		master = named
	}
	if master == nil {
		return nil, errors.New("no live Sentinel")
	}
	if !master.Live() {
		return nil, errors.New("the master is not live")
	}
	return master, role(master, "master")
}

// WaitOK waits until all is healthy: the live Sentinels know each other, the master and the
// replicas, and the live replicas have the master's data.
func (s *Sentinel) WaitOK() {
	s.tb.Helper()
	s.await("all to be healthy", func() error {
		master, err := s.agreed()
		if err != nil {
			return err
		}
		replicas := len(live(s.Servers)) - 1
		for _, watcher := range live(s.Sentinels) {
			if err := s.knows(watcher, len(live(s.Sentinels))-1, replicas); err != nil {
				return err
			}
		}
		return attached(master, replicas)
	})
}

// knows returns an error unless a Sentinel knows n healthy others of a kind.
func (s *Sentinel) knows(watcher *Server, others, replicas int) error {
	for command, wanted := range map[string]int{"SENTINELS": others, "REPLICAS": replicas} {
		reply, err := watcher.Do("SENTINEL", command, s.MasterName)
		if err != nil {
			return err
		}
		list, _ := reply.([]any)
		good := 0
		for _, entry := range list {
			fields := fieldsOf(entry)
			link := fields["master-link-status"]
			if (fields["flags"] == "sentinel" && fields["runid"] != "") || (fields["flags"] == "slave" && link == "ok") {
				good++
			}
		}
		if good < wanted {
			return fmt.Errorf("sentinel on port %d knows %d of %d healthy %s: %v", watcher.Port, good, wanted, command, list)
		}
	}
	return nil
}

// fieldsOf makes a map from a reply of alternating names and values.
func fieldsOf(reply any) map[string]string {
	list, _ := reply.([]any)
	fields := make(map[string]string, len(list)/2)
	for i := 0; i+1 < len(list); i += 2 {
		fields[fmt.Sprint(list[i])] = fmt.Sprint(list[i+1])
	}
	return fields
}

func (s *Sentinel) do(server *Server, args ...any) {
	s.tb.Helper()
	if _, err := server.Do(args...); err != nil {
		s.tb.Fatalf("%v on port %d: %v", args, server.Port, err)
	}
}

func (s *Sentinel) await(what string, try func() error) {
	s.tb.Helper()
	if err := wait(startTimeout, try); err != nil {
		s.tb.Fatalf("waiting for %s: %v", what, err)
	}
}
