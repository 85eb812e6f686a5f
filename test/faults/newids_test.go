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

// TestKillWhileIDsChange kills the proxy with SIGKILL while 64 clients get a new id in every
// response and lose every third response. A client that keeps the cookies of responses is logged in
// before and after.
func TestKillWhileIDsChange(t *testing.T) {
	t.Parallel()
	const clients, rounds = 64, 3
	caddy := harness.Start(t, site(t, "store_timeout 20s"))
	login := func(c *http.Client, i int) (data string, err error) {
		return get(c, caddy.URL, update, fmt.Sprintf(`{"user":%d}`, i), "X-Session-Control", "regenerate")
	}
	loggedIn := func(i int, data string) {
		if want := fmt.Sprintf(`{"user":%d}`, i); data != want {
			t.Errorf("a client that keeps every cookie has the session %s, want %s", data, want)
		}
	}
	all := make([]*http.Client, clients)
	for i := range all {
		all[i] = harness.Client(t)
		if _, err := login(all[i], i); err != nil {
			t.Fatal(err)
		}
	}
	for range rounds {
		var wg sync.WaitGroup
		var answered, lost atomic.Int64
		var killed atomic.Bool
		for i, c := range all {
			wg.Go(func() {
				for n := 1; ; n++ {
					if n%3 == 0 {
						hurried := *c
						hurried.Timeout = rand.N(20 * time.Millisecond)
						if _, err := login(&hurried, i); err != nil {
							lost.Add(1)
						}
						continue
					}
					data, err := login(c, i)
					if err != nil {
						if !killed.Load() {
							t.Error(err)
						}
						return
					}
					loggedIn(i, data)
					answered.Add(1)
				}
			})
		}
		for end := time.Now().Add(time.Minute); answered.Load() < 4*clients && time.Now().Before(end); {
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(rand.N(500 * time.Millisecond))
		killed.Store(true)
		caddy.Kill()
		wg.Wait()
		caddy.Run()

		for i, c := range all {
			data, err := get(c, caddy.URL)
			if err != nil {
				t.Fatal(err)
			}
			loggedIn(i, data)
		}
		t.Logf("%d responses arrived and %d were lost before the kill", answered.Load(), lost.Load())
		if answered.Load() < 4*clients || lost.Load() == 0 {
			t.Error("too few responses, or none lost")
		}
	}
}
