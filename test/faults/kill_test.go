package faults

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/test/harness"
)

// TestKill kills the proxy with SIGKILL while 64 clients change their sessions. Afterwards every
// confirmed change is there, and none is there by half. The configuration is the shortest possible.
func TestKill(t *testing.T) {
	t.Parallel()
	const clients, rounds = 64, 3
	caddy := harness.Start(t, site(t, ""))
	type client struct {
		*http.Client
		answered int
	}
	all := make([]*client, clients)
	for i := range all {
		all[i] = &client{Client: harness.Client(t)}
		if _, err := get(all[i].Client, caddy.URL, update, `{"a":0,"b":0}`); err != nil {
			t.Fatal(err)
		}
	}
	for range rounds {
		var wg sync.WaitGroup
		var changes atomic.Int64
		for _, c := range all {
			wg.Go(func() {
				for n := c.answered + 1; ; n++ {
					// An unconfirmed change may still be saved, so a number is never used twice.
					if _, err := get(c.Client, caddy.URL, update, fmt.Sprintf(`{"a":%d,"b":%d}`, n, n)); err != nil {
						return
					}
					c.answered = n
					changes.Add(1)
				}
			})
		}
		for end := time.Now().Add(time.Minute); changes.Load() < 2*clients && time.Now().Before(end); {
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(rand.N(500 * time.Millisecond))
		caddy.Kill()
		wg.Wait()
		caddy.Run()

		for i, c := range all {
			data, err := get(c.Client, caddy.URL)
			if err != nil {
				t.Fatal(err)
			}
			got := decode[struct{ A, B int }](t, data)
			if got.A != got.B {
				t.Errorf("client %d: half a change is there: %s", i, data)
			}
			if got.A != c.answered && got.A != c.answered+1 {
				t.Errorf("client %d: %d was confirmed, the session has %d", i, c.answered, got.A)
			}
			c.answered = got.A
		}
		if n := changes.Load(); n < 2*clients {
			t.Errorf("only %d changes were confirmed before the kill", n)
		}
	}
}
