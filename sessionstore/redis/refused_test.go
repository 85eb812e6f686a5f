package redis_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore/redis"
	"github.com/caddy-session/caddy-session/test/redistest"
)

// said records what a store reports about its near cache or its server.
type said struct {
	mu     sync.Mutex
	states []string
}

func (s *said) say(_ string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.states = append(s.states, "off")
		return
	}
	s.states = append(s.states, "on")
}

func (s *said) is(states ...string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Equal(s.states, states)
}

// isNear reports whether reads take no round trip.
func (s *store) isNear(server *redistest.Server, key string) bool {
	for range 3 {
		_, _ = s.Get(s.t.Context(), key)
	}
	seen := server.Monitor()
	for range 20 {
		_, _ = s.Get(s.t.Context(), key)
	}
	return len(seen()) == 0
}

func (s *store) waitNear(server *redistest.Server, key string) {
	s.t.Helper()
	for end := time.Now().Add(30 * time.Second); !s.isNear(server, key); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatal("the near cache does not work")
		}
	}
}

// A server that has too many clients for a moment refuses the HELLO of a new connection. The near
// cache works again soon.
func TestNearCacheAfterARefusedHello(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Options{})
	var said said
	s, _ := near(t, server, func(o *redis.Options) { o.OnNearCache = said.say })
	one := record(500)
	s.save("k", nil, one)
	s.waitNear(server, "k")
	for range 2 {
		for _, command := range [][]any{{"config", "set", "maxclients", 1}, {"client", "kill", "type", "normal"}} {
			if _, err := server.Do(command...); err != nil {
				t.Fatal(err)
			}
		}
		for end := time.Now().Add(redis.MaxStaleness + 500*time.Millisecond); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			// a copy may be used for a second, whatever happens to the connection
			_, _ = s.Get(t.Context(), "k")
		}
		if _, err := server.Do("config", "set", "maxclients", 1000); err != nil {
			t.Fatal(err)
		}
		s.want("k", one)
		s.waitNear(server, "k")
	}
	if !said.is("off", "on", "off", "on") {
		t.Errorf("said %q", said.states)
	}
}

// A user without permission for CLIENT TRACKING has sessions without the near cache, and with it
// soon after the permission is granted. The store reports each change once.
func TestNearCacheWithoutTrackingPermission(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Options{ACL: []string{"alice on >secret ~* +@all -client"}})
	var said said
	s, _ := near(t, server, func(o *redis.Options) { o.Username, o.Password, o.OnNearCache = "alice", "secret", said.say })
	one := record(500)
	s.save("k", nil, one)
	// long enough for several attempts
	for end := time.Now().Add(3500 * time.Millisecond); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		s.want("k", one)
	}
	if !said.is("off") {
		t.Errorf("said %q", said.states)
	}
	if _, err := server.Do("acl", "setuser", "alice", "+client"); err != nil {
		t.Fatal(err)
	}
	s.waitNear(server, "k")
	s.want("k", one)
	if !said.is("off", "on") {
		t.Errorf("said %q", said.states)
	}
}

// hangUp is a server that accepts connections and closes them, as a load balancer without servers
// does. It counts them.
func hangUp(t *testing.T) (addr string, connections func() int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	var mu sync.Mutex
	n := 0
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_ = conn.Close()
			mu.Lock()
			n++
			mu.Unlock()
		}
	}()
	return l.Addr().String(), func() int {
		mu.Lock()
		defer mu.Unlock()
		return n
	}
}

// A load balancer without servers accepts a connection and closes it: that counts as an unreachable
// server, which hardly any request tries.
func TestBalancerWithoutServers(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, o redis.Options) {
		for name, set := range map[string]func(*redis.Options){
			"": func(*redis.Options) {}, "near cache": func(o *redis.Options) { o.NearCache = new(redis.NearCache) },
			"cluster": func(o *redis.Options) { o.Cluster = true },
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				addr, connections := hangUp(t)
				o := usual(at(o, addr))
				set(&o)
				var said said
				o.OnState = said.say
				s := open(t, o)
				for range 200 {
					_, err := s.Get(t.Context(), "k")
					unavailable(t, "a balancer without servers", err)
				}
				if n := connections(); n > 50 {
					t.Errorf("200 requests took %d connections", n)
				}
				if name != "cluster" && !said.is("off") {
					t.Errorf("said %q", said.states)
				}
			})
		}
	})
}

// relay forwards connections to a server. Existing connections stay when new ones are forwarded to
// another server.
type relay struct {
	net.Listener
	mu     sync.Mutex
	target string
}

func newRelay(t *testing.T, target string) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	r := &relay{Listener: l, target: target}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go r.serve(client)
		}
	}()
	return r
}

func (r *relay) lead(target string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.target = target
}

func (r *relay) serve(client net.Conn) {
	defer client.Close()
	r.mu.Lock()
	target := r.target
	r.mu.Unlock()
	server, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		defer server.Close()
		_, _ = io.Copy(server, client)
	}()
	_, _ = io.Copy(client, server)
}

// A failover turns a master into a replica without closing its connections, while new connections
// lead to the new master. No change fails, however many connections the pool has.
func TestMasterBecomesReplica(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, o redis.Options) {
		one, two := redistest.Start(t, redistest.Options{}), redistest.Start(t, redistest.Options{})
		follow := func(replica, master *redistest.Server) {
			t.Helper()
			if _, err := replica.Do("replicaof", "127.0.0.1", master.Port); err != nil {
				t.Fatal(err)
			}
			eventually(t, patience, func() error {
				if info, err := replica.Do("info", "replication"); err != nil || !strings.Contains(info.(string), "master_link_status:up") {
					return fmt.Errorf("not linked: %w", err)
				}
				return nil
			})
		}
		follow(two, one)
		r := newRelay(t, one.Addr())
		o = at(o, r.Addr().String())
		o.PoolSize = 30
		s := open(t, o)
		var all sync.WaitGroup
		for i := range 200 {
			all.Go(func() { s.save(fmt.Sprint("k", i), nil, record(100)) })
		}
		all.Wait()
		if _, err := two.Do("replicaof", "no", "one"); err != nil {
			t.Fatal(err)
		}
		follow(one, two)
		r.lead(two.Addr())
		for i := range 10 { // each change finds a connection to the former master
			s.save(fmt.Sprint("next", i), nil, record(100))
		}
		for i := range 200 {
			all.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				if _, err := s.CompareAndSet(ctx, fmt.Sprint("new", i), nil, record(100), time.Hour); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	})
}
