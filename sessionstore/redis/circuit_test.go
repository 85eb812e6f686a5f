package redis_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/internal/breaker"
	"github.com/caddy-session/caddy-session/internal/longtest"
	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/redis"
	"github.com/caddy-session/caddy-session/test/redistest"
)

// states records what a store reports about its servers.
type states struct {
	mu   sync.Mutex
	seen []string
}

func (s *states) note(_ string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.seen = append(s.seen, "down")
	} else {
		s.seen = append(s.seen, "up")
	}
}

func (s *states) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprint(s.seen)
}

// failFast checks that all operations fail, and that hardly any of them waits for the servers: the
// others meet the open circuit.
func failFast(t *testing.T, what string, s *store) {
	t.Helper()
	for range 10 { // until the circuit is open
		unavailable(t, what, s.operations(t.Context(), "k", record(1), record(1))["get"]())
	}
	all, tried := 0, 0
	for range 300 {
		for name, call := range s.operations(t.Context(), "k", record(1), record(1)) {
			err := call()
			unavailable(t, what+": "+name, err)
			all++
			if !errors.Is(err, breaker.ErrOpen) {
				tried++
			}
		}
	}
	t.Logf("%s: %d of %d operations tried a server", what, tried, all)
	if tried > all/4 {
		t.Errorf("%s: %d of %d operations tried a server", what, tried, all)
	}
}

const recovery = 1500 * time.Millisecond

func TestDeadServer(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, o redis.Options) {
		server := redistest.Start(t, redistest.Options{})
		var seen states
		o.OnState = seen.note
		s := open(t, at(usual(o), server.Addr()))
		s.read("k")
		server.Kill()
		failFast(t, "dead", s)
		server.Restart()
		took := eventually(t, recovery, func() error { _, err := s.Get(t.Context(), "k"); return err })
		t.Logf("back after %v", took)
		if got := seen.String(); got != "[down up]" {
			t.Errorf("states: %s", got)
		}
	})
}

func TestPausedServer(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, o redis.Options) {
		server := redistest.Start(t, redistest.Options{})
		var seen states
		o.OnState = seen.note
		s := open(t, at(usual(o), server.Addr()))
		s.read("k")
		server.Pause()
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				_, err := s.Get(t.Context(), "k")
				unavailable(t, "paused", err)
			})
		}
		all.Wait()
		failFast(t, "paused", s)
		server.Resume()
		took := eventually(t, recovery, func() error { _, err := s.Get(t.Context(), "k"); return err })
		t.Logf("back after %v", took)
		if got := seen.String(); got != "[down up]" {
			t.Errorf("states: %s", got)
		}
	})
}

// All Sentinels and servers are down, or all Sentinels are.
func TestDeadSentinels(t *testing.T) {
	longtest.Test(t)
	t.Parallel()
	set := redistest.StartSentinel(t, calm)
	eachWay(t, func(t *testing.T, o redis.Options) {
		o.Addrs, o.Master = set.Addrs(), "another"
		s := open(t, usual(o))
		for name, call := range s.operations(t.Context(), "k", record(1), record(1)) {
			unavailable(t, "a master that Sentinels do not know: "+name, call())
		}
	})
	t.Run("gone", func(t *testing.T) {
		o := usual(redis.Options{Addrs: set.Addrs(), Master: set.MasterName, Pipelining: true})
		s := open(t, o)
		s.read("k")
		for _, sentinel := range set.Sentinels {
			sentinel.Kill()
		}
		s.read("k")
		for _, server := range set.Servers {
			server.Kill()
		}
		failFast(t, "all dead", s)
		failFast(t, "all dead from the beginning", open(t, o))
		for _, server := range append(set.Servers, set.Sentinels...) {
			server.Restart()
		}
		took := eventually(t, 10*time.Second, func() error { _, err := s.Get(t.Context(), "k"); return err })
		t.Logf("back %v after the restart", took)
	})
}

// silent accepts connections and never replies. It counts the commands.
type silent struct {
	net.Listener
	connections, commands, waiting, most atomic.Int64
}

func newSilent(t *testing.T) *silent {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	s := &silent{Listener: l}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.connections.Add(1)
			go s.hold(conn)
		}
	}()
	return s
}

func (s *silent) hold(conn net.Conn) {
	defer conn.Close()
	n := s.waiting.Add(1)
	defer s.waiting.Add(-1)
	for most := s.most.Load(); n > most && !s.most.CompareAndSwap(most, n); most = s.most.Load() {
	}
	buf := make([]byte, 4096)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return
		}
		s.commands.Add(int64(bytes.Count(bytes.ToLower(buf[:n]), []byte("evalsha")) + bytes.Count(bytes.ToLower(buf[:n]), []byte("hello"))))
	}
}

// While a server does not reply, at most one command at a time probes it.
func TestProbes(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, o redis.Options) {
		server := newSilent(t)
		s := open(t, at(usual(o), server.Addr().String()))
		var all sync.WaitGroup
		stop := make(chan struct{})
		var operations atomic.Int64
		for range 16 {
			all.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					ctx, cancel := context.WithTimeout(context.Background(), time.Second)
					_, err := s.Get(ctx, "k")
					cancel()
					unavailable(t, "silent", err)
					operations.Add(1)
					time.Sleep(time.Millisecond)
				}
			})
		}
		time.Sleep(1500 * time.Millisecond) // the first commands have timed out by then
		server.most.Store(0)
		before, connections, tried := server.commands.Load(), server.connections.Load(), operations.Load()
		time.Sleep(2 * time.Second)
		commands, opened, operated := server.commands.Load()-before, server.connections.Load()-connections, operations.Load()-tried
		close(stop)
		all.Wait()
		t.Logf("in 2 s, %d operations: %d commands in %d connections, %d at once", operated, commands, opened, server.most.Load())
		if opened > 8 || server.most.Load() > 1 {
			t.Errorf("%d connections, %d at once", opened, server.most.Load())
		}
		if operated < 50 {
			t.Errorf("only %d operations", operated)
		}
	})
}

// In a Cluster, a master that is down or hangs and has no successor yet does not slow down
// operations on the others.
func TestDeadMaster(t *testing.T) {
	t.Parallel()
	for what, end := range map[string]func(*redistest.Server){
		"dead": (*redistest.Server).Kill, "paused": (*redistest.Server).Pause,
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			cluster := redistest.StartCluster(t, calm)
			healthy := redistest.Start(t, redistest.Options{})
			// the second store starts while the master is down
			eachWay(t, func(t *testing.T, o redis.Options) {
				s := open(t, at(usual(o), cluster.Addrs()...))
				beside := open(t, at(usual(o), healthy.Addr()))
				victim := cluster.Nodes[1]
				var lost, others []string
				for i := 0; len(lost) < 5 || len(others) < 20; i++ {
					key := fmt.Sprint("key", last.Add(1), i)
					if slot := cluster.SlotOf(key); slot >= redistest.Slots/3 && slot < 2*redistest.Slots/3 {
						lost = append(lost, key)
					} else {
						others = append(others, key)
					}
				}
				values := make(map[string][]byte)
				for _, key := range others {
					values[key] = record(100)
					s.save(key, nil, values[key])
					beside.save(key, nil, values[key])
				}
				if victim.Live() {
					end(victim)
				}
				ctx, cancel := context.WithCancel(t.Context())
				var traffic sync.WaitGroup
				for i := range 4 {
					traffic.Go(func() {
						for ctx.Err() == nil {
							one, cancel := context.WithTimeout(ctx, time.Second)
							_, err := s.Get(one, lost[i])
							cancel()
							if err == nil {
								t.Error("a dead master replies")
							}
							time.Sleep(time.Millisecond)
						}
					})
				}
				time.Sleep(1500 * time.Millisecond)
				failures := 0
				// The load of this machine also slows down a server that has nothing to do with the
				// dead one.
				var took, pace []time.Duration
				for i := range 400 {
					key := others[i%len(others)]
					next := record(100)
					for in, all := range map[*store]*[]time.Duration{s: &took, beside: &pace} {
						*all = append(*all, lasts(func() {
							if err := in.try(key, values[key], next); err != nil {
								failures++
								t.Logf("%v", err)
								return
							}
							in.want(key, next)
						}))
					}
					values[key] = next
				}
				// On a busy machine some operations take microseconds and some many milliseconds.
				// The median may be either, so the test compares means. If the operations waited
				// for the dead master, each would take a good part of the timeout.
				mean, alone := meanOf(took), meanOf(pace)
				t.Logf("a save and a read on the other masters: mean %v; on a separate server: mean %v", mean, alone)
				if failures > 0 {
					t.Errorf("%d saves failed", failures)
				}
				if mean > redis.DefaultReadTimeout/4+2*alone {
					t.Errorf("the others are slow: mean %v; on a separate server: mean %v", mean, alone)
				}
				tried := 0
				for range 50 {
					_, err := s.Get(t.Context(), lost[4])
					unavailable(t, "its own keys", err)
					if !errors.Is(err, breaker.ErrOpen) {
						tried++
					}
				}
				if tried > 25 {
					t.Errorf("%d of 50 operations on its own keys tried the server", tried)
				}
				cancel()
				traffic.Wait()
			})
		})
	}
}

// A server whose memory is full refuses writes and still serves reads.
func TestMemoryFull(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, o redis.Options) {
		server := redistest.Start(t, redistest.Options{Config: []string{"maxmemory-policy noeviction"}})
		var seen states
		o.OnState = seen.note
		s := open(t, at(usual(o), server.Addr()))
		one := record(100)
		s.save("k", nil, one)
		s.save("gone", nil, one)
		do(t, server, "CONFIG", "SET", "maxmemory", 1)
		for range 20 {
			unavailable(t, "creating", s.try("other", nil, record(100)))
			unavailable(t, "saving", s.try("k", one, record(100)))
			s.want("k", one)
			if err := s.Touch(t.Context(), "k", one, 2*time.Hour); err != nil {
				t.Errorf("touching: %v", err)
			}
		}
		if err := s.try("k", record(1), record(1)); !errors.Is(err, sessionstore.ErrConflict) {
			t.Errorf("no conflict: %v", err)
		}
		if _, err := s.CompareAndDelete(t.Context(), "gone", one); err != nil {
			t.Errorf("deleting: %v", err)
		}
		do(t, server, "CONFIG", "SET", "maxmemory", 0)
		s.save("k", one, record(100))
		if got := seen.String(); got != "[]" {
			t.Errorf("states: %s", got)
		}
	})
}

// An operation ends with its context, even if the server hangs.
func TestContexts(t *testing.T) {
	t.Parallel()
	const allowed = 150 * time.Millisecond
	const hanging = redis.DefaultDialTimeout + redis.DefaultReadTimeout + 100*time.Millisecond
	check := func(t *testing.T, s *store, key string, pause func()) {
		var mu sync.Mutex
		var late []time.Duration
		old := record(100)
		s.save(key, nil, old)
		s.read(key)
		pause()
		for name, call := range map[string]func(ctx context.Context) error{
			"get":    func(ctx context.Context) error { return s.operations(ctx, key, old, record(1))["get"]() },
			"set":    func(ctx context.Context) error { return s.operations(ctx, key, old, record(1))["set"]() },
			"delete": func(ctx context.Context) error { return s.operations(ctx, key, old, record(1))["delete"]() },
			"touch":  func(ctx context.Context) error { return s.operations(ctx, key, old, record(1))["touch"]() },
		} {
			var all sync.WaitGroup
			for i := range 8 {
				all.Go(func() {
					ctx, cancel := context.WithTimeout(t.Context(), allowed)
					most := allowed + 500*time.Millisecond // tolerance for a busy machine
					if i%2 == 1 {
						cancel()
						ctx, cancel = context.WithCancel(t.Context())
						time.AfterFunc(allowed, cancel)
						most = hanging // connections support deadlines, not cancellation
					}
					defer cancel()
					var err error
					took := lasts(func() { err = call(ctx) })
					// The circuit opens soon if the server hangs for every operation.
					if !errors.Is(err, ctx.Err()) || err == nil {
						unavailable(t, name, err)
					}
					if i%2 == 0 {
						mu.Lock()
						late = append(late, took-allowed)
						mu.Unlock()
					}
					if took > most {
						t.Errorf("%s took %v: %v", name, took, err)
					}
				})
			}
			all.Wait()
		}
		slices.Sort(late)
		if median := late[len(late)/2]; median > 100*time.Millisecond {
			t.Errorf("late by %v (median)", median)
		}
	}
	for name, set := range variants {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t, redistest.Options{})
			o := usual(redis.Options{Addrs: []string{server.Addr()}})
			set(&o)
			check(t, open(t, o), "k", server.Pause)
		})
	}
	t.Run("cluster", func(t *testing.T) {
		t.Parallel()
		cluster := redistest.StartCluster(t, calm)
		for _, name := range twoWays {
			o := usual(redis.Options{Addrs: cluster.Addrs()})
			variants[name](&o)
			s := open(t, o)
			check(t, s, name, func() {
				for _, node := range cluster.Nodes {
					node.Pause()
				}
			})
			for _, node := range cluster.Nodes {
				node.Resume()
			}
		}
	})
}

// After many failed connections, go-redis by itself dials only once a second.
func TestLongOutage(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, o redis.Options) {
		server := redistest.Start(t, redistest.Options{})
		o.PoolSize = 2
		s := open(t, at(usual(o), server.Addr()))
		s.read("k")
		var worst time.Duration
		for range 3 {
			server.Kill()
			for end := time.Now().Add(time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
				unavailable(t, "dead", s.try("k", nil, record(1)))
			}
			server.Restart()
			worst = max(worst, eventually(t, 2*recovery, func() error { _, err := s.Get(t.Context(), "k"); return err }))
		}
		t.Logf("back after %v at most", worst)
		if worst > recovery {
			t.Errorf("back after %v only", worst)
		}
	})
}
