package redis

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/test/harness"
	"github.com/caddy-session/caddy-session/test/redistest"
)

// TestReload loads configurations under load. Connections stay while the options of Redis stay;
// when they change, the old connections are closed. No request fails or is applied twice.
func TestReload(t *testing.T) {
	t.Parallel()
	for _, pipelining := range []string{"on", "off"} {
		t.Run("pipelining "+pipelining, func(t *testing.T) {
			t.Parallel()
			testReload(t, pipelining)
		})
	}
}

// poolSize is the maximum number of connections of one configuration.
const poolSize = 4

func testReload(t *testing.T, pipelining string) {
	s := redistest.Start(t, redistest.Options{})
	var reached sync.Map
	backend := harness.Backend(t, func(w http.ResponseWriter, r *http.Request) {
		reached.Store(r.Header.Get("Number"), true)
		harness.Echo(w, r)
	})
	config := func(n int, readTimeout string) string {
		store := fmt.Sprintf("max_size %d\nstore redis %s {\npool_size %d\npipelining %s\nread_timeout %s", 4000+n, s.Addr(), poolSize,
			pipelining, readTimeout)
		return site(backend, store)
	}
	load.Lock()
	defer load.Unlock()
	caddy := harness.Start(t, config(0, "400ms"))
	stop := countUntil(t, caddy.URL, &reached)
	defer stop()

	var before map[string]bool
	await(t, "all connections", func() bool {
		before = connections(t, s)
		return len(before) == poolSize || pipelining == "on" && len(before) > 0
	})
	for n := range 5 {
		reload(t, caddy, config(n+1, "400ms"))
		time.Sleep(harness.Lasting(400*time.Millisecond, 100*time.Millisecond))
		now := connections(t, s)
		for id := range before {
			if !now[id] {
				t.Errorf("a connection was closed by reload %d", n)
			}
		}
		if len(now) > poolSize {
			t.Errorf("%d connections after reload %d, and one store has %d at most", len(now), n, poolSize)
		}
		before = now
	}
	reload(t, caddy, config(0, "350ms"))
	await(t, "the old connections to be closed, and others made", func() bool {
		now := connections(t, s)
		for id := range now {
			if before[id] {
				return false
			}
		}
		return len(now) > 0 && len(now) <= poolSize
	})
	stop()
}

func reload(t *testing.T, caddy *harness.Caddy, config string) {
	t.Helper()
	if err := caddy.Reload(config); err != nil {
		t.Fatal(err)
	}
}

// connections are the ids of all connections but the test's own.
func connections(t *testing.T, s *redistest.Server) map[string]bool {
	t.Helper()
	ids := make(map[string]bool)
	for line := range strings.Lines(do(t, s, "CLIENT", "LIST").(string)) {
		if strings.Contains(line, " user=default ") {
			id, _, _ := strings.Cut(line, " ")
			ids[id] = true
		}
	}
	return ids
}

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for range 1000 {
		if done() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("timed out waiting for %s", what)
}

// numbered gives each request a number, by which the test sees whether the backend got it.
type numbered struct {
	http.RoundTripper
	number string
}

func (n *numbered) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Number", n.number)
	return n.RoundTripper.RoundTrip(r)
}

// countUntil runs clients that count in their own sessions until the returned function is called.
//
// Any Caddy closes some connections that arrive at the moment of a reload, before it reads a
// request: a request that did not reach the backend does not count.
func countUntil(t *testing.T, base string, reached *sync.Map) (stop func()) {
	var stopped atomic.Bool
	var wg sync.WaitGroup
	for c := range 16 {
		client := harness.Client(t)
		transport := &numbered{RoundTripper: client.Transport}
		client.Transport = transport
		wg.Go(func() {
			answered := 0
			for n := 0; !stopped.Load(); n++ {
				transport.number = fmt.Sprint(c, "-", n)
				data, err := get(client, base, `[{"op":"increment","path":"/n","value":1}]`)
				if _, asked := reached.Load(transport.number); err != nil && !asked &&
					(errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)) {
					continue
				}
				if err != nil {
					t.Errorf("request %d failed: %v", n, err)
					return
				}
				want := fmt.Sprintf(`{"n":%d}`, answered)
				if got := strings.TrimSpace(string(data)); answered > 0 && got != want {
					t.Errorf("request %d found %s, want %s", n, got, want)
					return
				}
				answered++
				time.Sleep(20 * time.Millisecond)
			}
			if answered < 5 {
				t.Errorf("only %d requests were answered", answered)
			}
		})
	}
	return func() {
		stopped.Store(true)
		wg.Wait()
	}
}
