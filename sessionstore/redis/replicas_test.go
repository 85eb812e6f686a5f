package redis_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/internal/longtest"
	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/redis"
	"github.com/caddy-session/caddy-session/test/redistest"
)

// A change that too few replicas have is not reported as saved.
func TestWaitReplicas(t *testing.T) {
	t.Parallel()
	set := redistest.StartSentinel(t, calm)
	var seen states
	s := open(t, usual(redis.Options{Addrs: set.Addrs(), Master: set.MasterName, WaitReplicas: 2, OnState: seen.note}))
	one, two := record(100), record(100)
	s.save("k", nil, one)
	for _, replica := range set.Servers[1:] {
		if got, err := replica.Do("GET", "k"); err != nil || got != string(one) {
			t.Errorf("a replica does not have the change: %v", err)
		}
	}

	set.Servers[1].Pause()
	for what, call := range map[string]func(ctx context.Context) error{
		"saving": func(ctx context.Context) error { _, err := s.CompareAndSet(ctx, "k", one, two, time.Hour); return err },
		"creating": func(ctx context.Context) error {
			_, err := s.CompareAndSet(ctx, "new", nil, two, time.Hour)
			return err
		},
		"deleting": func(ctx context.Context) error { _, err := s.CompareAndDelete(ctx, "gone", two); return err },
	} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		var err error
		begin := time.Now()
		took := lasts(func() { err = call(ctx) })
		least := time.Since(begin)
		cancel()
		unavailable(t, what, err)
		if took > 1500*time.Millisecond || least < 200*time.Millisecond {
			t.Errorf("%s took %v: %v", what, took, err)
		}
	}
	// Reads and touches do not wait for replicas. A conflict waits no longer than a change.
	commands := set.Servers[0].Monitor()
	s.want("k", two) // the change may have been applied; here it was
	if err := s.try("k", one, record(1)); !errors.Is(err, sessionstore.ErrConflict) {
		t.Errorf("no conflict: %v", err)
	}
	if err := s.Touch(t.Context(), "k", two, time.Hour); err != nil {
		t.Errorf("touching: %v", err)
	}
	var waits []string
	for _, c := range commands() {
		if c.Name() == "WAIT" {
			waits = append(waits, c.Args[2])
		}
	}
	if longest := fmt.Sprint(redis.DefaultReadTimeout.Milliseconds() * 3 / 4); !slices.Equal(waits, []string{longest}) {
		t.Errorf("they wait %q ms, want %s once", waits, longest)
	}
	// An operation with less time than the timeouts ends in time too.
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	took := lasts(func() {
		_, err := s.CompareAndSet(ctx, "k", two, one, time.Hour)
		unavailable(t, "saving with a short deadline", err)
	})
	if took > 600*time.Millisecond {
		t.Errorf("saving with a short deadline took %v", took)
	}

	set.Servers[1].Resume()
	eventually(t, 5*time.Second, func() error { return s.basics(t.Context()) })
	s.save("k", one, two) // the short attempt was applied
	if got := seen.String(); got != "[]" {
		t.Errorf("a lagging replica was reported as a server that is down: %s", got)
	}
}

// A deletion that finds nothing may be the second attempt of one whose reply was lost. Since Redis
// 7.2, WAIT waits only for what its own connection has written, so it is a write too.
func TestADeletionThatFindsNothingReachesTheReplicas(t *testing.T) {
	t.Parallel()
	set := redistest.StartSentinel(t, calm)
	s := open(t, redis.Options{Addrs: set.Addrs(), Master: set.MasterName, WaitReplicas: 2})
	s.save("k", nil, record(100))
	commands := set.Servers[1].Monitor()
	if _, err := s.CompareAndDelete(t.Context(), "gone", record(100)); err != nil {
		t.Fatal(err)
	}
	if got := names(commands()); !slices.Contains(got, "DEL") {
		t.Errorf("a replica was sent %q", got)
	}
	s.want("gone", nil)
	if n := do(t, set.Servers[0], "DBSIZE"); n != int64(1) {
		t.Errorf("%v records, want 1", n)
	}
}

// A slot is being migrated between two masters: some of its keys are on one and some on the other.
func TestMigration(t *testing.T) {
	longtest.Test(t)
	t.Parallel()
	rights := documentedUsers(t)
	var all []string
	for _, use := range []string{"", "cluster", "wait_replicas"} {
		all = append(all, rights[use]...)
	}
	cluster := redistest.StartCluster(t, redistest.Options{
		NodeTimeout: time.Minute, ACL: []string{"caddy on >secret " + strings.Join(all, " ")},
	})
	for i, wait := range []int{0, 0, 1} {
		t.Run(fmt.Sprintf("%d, wait_replicas %d", i, wait), func(t *testing.T) {
			o := redis.Options{
				Addrs: cluster.Addrs(), WaitReplicas: wait, Pipelining: i == 1,
				Username: "caddy", Password: "secret", KeyPrefix: "session:",
			}
			s := open(t, o)
			tag := fmt.Sprintf("{%d}", last.Add(1))
			slot := cluster.SlotOf("session:" + tag)
			from := cluster.MasterOfSlot(slot)
			to := cluster.Nodes[0]
			if to == from {
				to = cluster.Nodes[1]
			}
			values := make(map[string][]byte)
			for n := range 10 {
				key := fmt.Sprint(tag, n)
				values[key] = record(100)
				s.save(key, nil, values[key])
			}
			check := func(what string) {
				t.Helper()
				for key, old := range values {
					next := record(100)
					s.want(key, old)
					if err := s.try(key, old, next); err != nil {
						t.Fatalf("%s: saving: %v", what, err)
					}
					s.want(key, next)
					if e, err := s.CompareAndSet(t.Context(), key, old, record(1), time.Hour); !errors.Is(err, sessionstore.ErrConflict) || !bytes.Equal(e.Value, next) {
						t.Errorf("%s: no conflict: %v", what, err)
					}
					if err := s.Touch(t.Context(), key, next, 2*time.Hour); err != nil {
						t.Errorf("%s: touching: %v", what, err)
					}
					values[key] = next
				}
				key := fmt.Sprint(tag, "new", last.Add(1))
				values[key] = record(100)
				if err := s.try(key, nil, values[key]); err != nil {
					t.Fatalf("%s: creating: %v", what, err)
				}
				if _, err := s.CompareAndDelete(t.Context(), key, values[key]); err != nil {
					t.Errorf("%s: deleting: %v", what, err)
				}
				s.want(key, nil)
				delete(values, key)
			}
			check("before")
			m := cluster.BeginMigration(slot, to)
			check("begun") // new keys are created on the target already
			m.MoveKeys()
			check("its keys moved")
			for _, node := range cluster.Nodes[:3] {
				do(t, node, "SCRIPT", "FLUSH")
			}
			check("its keys moved, scripts flushed")
			m.Finish()
			check("moved")
			for _, node := range cluster.Nodes[:3] {
				do(t, node, "SCRIPT", "FLUSH")
			}
			check("moved, scripts flushed")
			if cluster.MasterOfSlot(slot) != to {
				t.Error("the slot was not migrated")
			}
		})
	}
}

// A replica takes over from its master: operations fail for a while, and then succeed again.
func TestFailover(t *testing.T) {
	longtest.Test(t)
	t.Parallel()
	t.Run("sentinel", func(t *testing.T) {
		t.Parallel()
		set := redistest.StartSentinel(t, redistest.Options{})
		o := usual(redis.Options{Addrs: set.Addrs(), Master: set.MasterName})
		waiting := o
		waiting.WaitReplicas = 1
		failover(t, []*store{open(t, o), open(t, piped(o)), open(t, waiting)}, set.Servers[0].Kill)
	})
	t.Run("cluster", func(t *testing.T) {
		t.Parallel()
		cluster := redistest.StartCluster(t, redistest.Options{Config: []string{"cluster-require-full-coverage no"}})
		o := usual(redis.Options{Addrs: cluster.Addrs()})
		failover(t, []*store{open(t, o), open(t, piped(o))}, cluster.MasterOf("0").Kill)
	})
}

func piped(o redis.Options) redis.Options {
	o.Pipelining = true
	return o
}

func failover(t *testing.T, stores []*store, kill func()) {
	values := make([][]byte, len(stores))
	key := func(i int) string { return fmt.Sprintf("{0}%d", i) }
	for i, s := range stores {
		values[i] = record(100)
		// A replica that has just been attached is slow to acknowledge. The same save is then made
		// again.
		eventually(t, patience, func() error { return s.try(key(i), nil, values[i]) })
	}
	time.Sleep(200 * time.Millisecond) // so that the replicas have it
	kill()
	for i, s := range stores {
		took := eventually(t, 15*time.Second, func() error {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			var err error
			next := record(100)
			if took := lasts(func() { _, err = s.CompareAndSet(ctx, key(i), values[i], next, time.Hour) }); took > 2*time.Second {
				t.Errorf("an operation took %v", took)
			}
			if errors.Is(err, sessionstore.ErrConflict) {
				t.Fatal("a conflict without another writer")
			}
			if err == nil {
				values[i] = next
			}
			return err
		})
		t.Logf("goes on after %v", took)
		s.want(key(i), values[i])
	}
}
