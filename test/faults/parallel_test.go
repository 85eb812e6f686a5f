package faults

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/caddy-session/caddy-session/test/harness"
)

// TestParallelKeys sets 200 different keys of one session in 200 concurrent requests.
func TestParallelKeys(t *testing.T) {
	t.Parallel()
	for _, store := range []string{"bolt $DIR/sessions.db", "memory"} {
		t.Run(strings.Fields(store)[0], func(t *testing.T) {
			t.Parallel()
			const keys = 200
			caddy := harness.Start(t, site(t, "store_timeout 10s\nstore "+store)) // on a busy machine, 200 requests take long
			client := harness.Client(t)
			if _, err := get(client, caddy.URL, update, `{"n":0}`); err != nil {
				t.Fatal(err)
			}
			var wg sync.WaitGroup
			for i := range keys {
				wg.Go(func() {
					change := fmt.Sprintf(`{"k%d":%d}, [{"op":"increment","path":"/n","value":1}]`, i, i)
					if _, err := get(client, caddy.URL, update, change); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			data, err := get(client, caddy.URL)
			if err != nil {
				t.Fatal(err)
			}
			got := decode[map[string]int](t, data)
			if got["n"] != keys {
				t.Errorf("the count is %d, want %d", got["n"], keys)
			}
			for i := range keys {
				if value, found := got[fmt.Sprint("k", i)]; !found || value != i {
					t.Errorf("k%d is %d, there: %t", i, value, found)
				}
			}
		})
	}
}
