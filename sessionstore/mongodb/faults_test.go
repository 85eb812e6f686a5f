package mongodb_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/internal/breaker"
	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/mongodb"
	"github.com/caddy-session/caddy-session/test/mongotest"
)

// states records what a store reports about its server.
type states struct {
	mu   sync.Mutex
	said []string
}

func (s *states) on(server string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said = append(s.said, fmt.Sprint(server, " ", err))
}

// want checks the number of reports, and that they alternate between unreachable and reachable.
func (s *states) want(t *testing.T, n int) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, text := range s.said {
		if strings.HasSuffix(text, "<nil>") != (i%2 == 1) {
			t.Errorf("said %q", s.said)
		}
	}
	if len(s.said) != n {
		t.Errorf("said %q, want %d", s.said, n)
	}
}

// cheap checks that operations on an unreachable database hardly ever wait for it: the others meet
// the open circuit.
func cheap(t *testing.T, s *mongodb.Store) {
	t.Helper()
	const n = 1000
	tried := 0
	for range n {
		_, err := s.Get(t.Context(), "key")
		if !errors.Is(err, sessionstore.ErrUnavailable) {
			t.Fatal(err)
		}
		if !errors.Is(err, breaker.ErrOpen) {
			tried++
		}
	}
	if tried > n/10 {
		t.Errorf("%d of %d operations tried an unreachable server", tried, n)
	}
}

func back(t *testing.T, s *mongodb.Store) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		_, err := s.Get(t.Context(), "key")
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("still unreachable: %v", err)
		}
	}
}

// unreachable runs operations until the store has noticed that the server is down.
func unreachable(t *testing.T, s *mongodb.Store, timeout time.Duration) {
	t.Helper()
	for range 4 {
		ctx, cancel := context.WithTimeout(t.Context(), timeout)
		start := time.Now()
		if _, err := s.Get(ctx, "key"); !errors.Is(err, sessionstore.ErrUnavailable) {
			t.Error(err)
		}
		cancel()
		if d := time.Since(start); d > timeout+5*time.Second {
			t.Errorf("it took %v", d)
		}
	}
}

// The server hangs: after a few timeouts, operations fail at once.
func TestServerHangs(t *testing.T) {
	t.Parallel()
	var states states
	server := mongotest.Start(t)
	s := open(t, server.URI(), mongodb.Options{DialTimeout: 200 * time.Millisecond, Timeout: 200 * time.Millisecond, OnState: states.on})
	back(t, s)
	server.Pause()
	unreachable(t, s, 300*time.Millisecond)
	cheap(t, s)
	server.Resume()
	back(t, s)
	states.want(t, 2)
}

// A server is killed and restarted, for a store that was connected to it and for one that was not.
func TestDeadServer(t *testing.T) {
	t.Parallel()
	var states states
	server := mongotest.Start(t)
	s := open(t, server.URI(), mongodb.Options{DialTimeout: 200 * time.Millisecond, OnState: states.on})
	back(t, s)
	save(t, s, "key", nil, []byte("one"))
	server.Kill()
	fresh := open(t, server.URI(), mongodb.Options{DialTimeout: 200 * time.Millisecond})
	unreachable(t, s, 3*time.Second)
	unreachable(t, fresh, 3*time.Second)
	cheap(t, s)
	cheap(t, fresh)
	server.Restart()
	for _, s := range []*mongodb.Store{s, fresh} {
		back(t, s)
		want(t, s, "key", "one")
	}
	states.want(t, 2)
}

// A server is killed during writes: every confirmed write is there, and no writer gets a conflict
// with itself.
func TestServerKilledDuringWrites(t *testing.T) {
	t.Parallel()
	server := mongotest.Start(t)
	opts := mongodb.Options{Collection: "killed"}
	s := open(t, server.URI(), opts)
	const workers = 4
	var answered [workers]atomic.Int64
	stop := make(chan struct{})
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			key := fmt.Sprint("key", w)
			value := func(n int64) []byte { return fmt.Appendf(nil, "%s is %d", key, n) }
			var old []byte
			for n := int64(1); ; {
				select {
				case <-stop:
					return
				default:
				}
				ctx, cancel := context.WithTimeout(context.Background(), time.Second)
				_, err := s.CompareAndSet(ctx, key, old, value(n), time.Hour)
				cancel()
				switch {
				case err == nil:
					answered[w].Store(n)
					old, n = value(n), n+1
				case errors.Is(err, sessionstore.ErrConflict), strings.Contains(err.Error(), key):
					t.Error(err)
				default:
					time.Sleep(time.Millisecond)
				}
			}
		})
	}
	progress := func(from [workers]int64) {
		for end := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
			waits := false
			for w := range workers {
				waits = waits || answered[w].Load() < from[w]+5
			}
			if !waits {
				return
			}
			if time.Now().After(end) {
				t.Error("the writers are stuck")
				return
			}
		}
	}
	var before [workers]int64
	for range 2 {
		progress(before)
		server.Kill()
		for w := range workers {
			before[w] = answered[w].Load()
		}
		server.Restart()
		other := open(t, server.URI(), opts)
		for w := range workers {
			var n int64
			back(t, other)
			e, err := other.Get(t.Context(), fmt.Sprint("key", w))
			if _, scanErr := fmt.Sscanf(string(e.Value), fmt.Sprintf("key%d is %%d", w), &n); err != nil || scanErr != nil || n < before[w] {
				t.Errorf("got %q, %v, after %d was confirmed", e.Value, err, before[w])
			}
		}
	}
	progress(before)
	close(stop)
	all.Wait()
}

// The error says that the password is wrong, without containing it, and the breaker limits the
// attempts.
func TestWrongPassword(t *testing.T) {
	t.Parallel()
	var states states
	uri := mongotest.Start(t).URI()
	uri = strings.Replace(uri, "mongodb://", "mongodb://user:password-to-find@", 1)
	s := open(t, uri, mongodb.Options{DialTimeout: 10 * time.Second, Timeout: 10 * time.Second, OnState: states.on})
	for range 5 {
		_, err := s.Get(t.Context(), "key-to-find")
		if !errors.Is(err, sessionstore.ErrUnavailable) || strings.Contains(err.Error(), "to-find") || !strings.Contains(err.Error(), "refused") && !strings.Contains(err.Error(), "next attempt follows") {
			t.Error(err)
		}
	}
	states.want(t, 1)
	if u, _ := url.Parse(uri); !strings.HasPrefix(states.said[0], u.Host+" ") || strings.Contains(states.said[0], "to-find") {
		t.Errorf("said %q", states.said)
	}
}

// Server names that do not resolve, and ports without a listener.
func TestUnreachableServer(t *testing.T) {
	t.Parallel()
	server := mongotest.Start(t)
	server.Kill()
	for _, uri := range []string{
		"mongodb://user:password-to-find@no-such-host.invalid/", "mongodb+srv://user:password-to-find@no-such-host.invalid/", server.URI(),
	} {
		s := open(t, uri, mongodb.Options{DialTimeout: 100 * time.Millisecond})
		_, err := s.Get(t.Context(), "key-to-find")
		if !errors.Is(err, sessionstore.ErrUnavailable) || strings.Contains(err.Error(), "to-find") {
			t.Errorf("%s: %v", uri, err)
		}
		if strings.HasPrefix(uri, "mongodb+srv") && !strings.Contains(err.Error(), "no-such-host.invalid") {
			t.Errorf("the error does not say what was not found: %v", err)
		}
	}
}

// A load balancer without servers accepts a connection and closes it.
func TestBalancerWithoutServers(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_ = conn.Close()
		}
	}()
	var states states
	s := open(t, "mongodb://"+l.Addr().String()+"/", mongodb.Options{DialTimeout: 100 * time.Millisecond, OnState: states.on})
	cheap(t, s)
	states.want(t, 1)
}
