package redis

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/caddy-session/caddy-session/test/harness"
	"github.com/caddy-session/caddy-session/test/redistest"
)

// get requests an update from the echo backend, and returns the session data that the request
// found.
func get(client *http.Client, base, update string) (data []byte, err error) {
	resp, err := client.Get(base + "/?X-Session-Update=" + url.QueryEscape(update))
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %s", resp.Status)
	}
	for line := range strings.Lines(string(body)) {
		if data, found := strings.CutPrefix(line, "X-Session-Data: "); found {
			return []byte(data), nil
		}
	}
	return nil, fmt.Errorf("the backend got no session header: %q", body)
}

// TestParallelKeys sets 200 different keys of one session in 200 concurrent requests through two
// proxies. None may fail, also when the machine stands still for longer than a store is waited for.
func TestParallelKeys(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, redistest.Options{})
	for name, options := range map[string]string{"plain": "", "near cache": "\nnear_cache"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proxies := startProxies(t, harness.Backend(t, harness.Echo), "store_timeout 30s\nstore redis "+s.Addr()+" {"+options)
			testParallelKeys(t, proxies)
		})
	}
}

func testParallelKeys(t *testing.T, proxies []*harness.Caddy) {
	const keys = 200
	client := harness.Client(t) // cookies ignore ports: one serves both proxies
	if _, err := get(client, proxies[0].URL, `{"n":0}`); err != nil {
		t.Fatal(err)
	}
	load.Lock()
	defer load.Unlock()
	var wg sync.WaitGroup
	for i := range keys {
		wg.Go(func() {
			change := fmt.Sprintf(`{"k%d":%d}, [{"op":"increment","path":"/n","value":1}]`, i, i)
			if _, err := get(client, proxies[i%2].URL, change); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	// A change without effect is not answered from the near cache.
	for i, proxy := range proxies {
		data, err := get(client, proxy.URL, `{"last":true}`)
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		if err := json.Unmarshal(data, &got); err != nil {
			t.Fatal(err)
		}
		if got["n"] != float64(keys) {
			t.Errorf("proxy %d: the count is %v, want %d", i, got["n"], keys)
		}
		for k := range keys {
			if got[fmt.Sprint("k", k)] != float64(k) {
				t.Errorf("proxy %d: k%d is %v", i, k, got[fmt.Sprint("k", k)])
			}
		}
	}
}
