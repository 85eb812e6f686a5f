package faults

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/test/harness"
	"github.com/caddy-session/caddy-session/test/memcachedtest"
	"github.com/caddy-session/caddy-session/test/mongotest"
)

// setKeys sets 50 different keys of one session in 50 concurrent requests, through alternating
// proxies.
func setKeys(t *testing.T, client *http.Client, urls ...string) {
	t.Helper()
	const keys = 50
	if _, err := get(client, urls[0], update, `{"n":0}`); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range keys {
		wg.Go(func() {
			change := fmt.Sprintf(`{"k%d":%d}, [{"op":"increment","path":"/n","value":1}]`, i, i)
			if _, err := get(client, urls[i%len(urls)], update, change); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	hasKeys(t, client, urls[0])
}

// hasKeys checks that all keys are there.
func hasKeys(t *testing.T, client *http.Client, url string) {
	t.Helper()
	data, err := get(client, url)
	if err != nil {
		t.Fatal(err)
	}
	got := decode[map[string]int](t, data)
	if got["n"] != 50 || len(got) != 51 {
		t.Errorf("%d keys, counted %d, want 50", len(got)-1, got["n"])
	}
	for i := range 50 {
		if value, found := got[fmt.Sprint("k", i)]; !found || value != i {
			t.Errorf("k%d is %d, there: %t", i, value, found)
		}
	}
}

// TestFileStore changes one session through two proxies that share a folder, and restarts one
// proxy.
func TestFileStore(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new", "sessions")
	options := fmt.Sprintf("store_timeout 10s\nstore file %s {\nmode 0640\nthreshold 100\n}\nsecret 0123456789abcdef\nscope shared\n", dir)
	one, two := harness.Start(t, site(t, options)), harness.Start(t, site(t, options))
	if _, err := os.Stat(filepath.Dir(dir)); !os.IsNotExist(err) {
		t.Errorf("the folder was created before it was needed: %v", err)
	}
	client := harness.Client(t)
	setKeys(t, client, one.URL, two.URL)
	one.Stop()
	hasKeys(t, client, two.URL)
	one.Run()
	hasKeys(t, client, one.URL)
	one.Kill()
	one.Run()
	hasKeys(t, client, one.URL)

	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Fatalf("got %v, want one file: %v", entries, err)
	}
	if info, err := entries[0].Info(); err != nil || info.Mode() != 0o640 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	// A damaged record is an error and stays unchanged.
	path := filepath.Join(dir, entries[0].Name())
	if err := os.WriteFile(path, []byte("damaged"), 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := get(client, one.URL, update, `{"a":1}`); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("got %v", err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "damaged" {
		t.Errorf("the record was changed to %q: %v", text, err)
	}
	if _, err := get(client, one.URL, "X-Session-Control", "destroy"); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("got %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	setKeys(t, client, one.URL, two.URL)
}

// TestMemcachedStore changes one session through two proxies with two servers, of which one dies.
func TestMemcachedStore(t *testing.T) {
	t.Parallel()
	servers := []*memcachedtest.Server{memcachedtest.Start(t), memcachedtest.Start(t)}
	options := func(a, b int) string {
		return fmt.Sprintf("store_timeout 10s\nstore memcached %s %s {\ntimeout 10s\nkey_prefix e2e:\n}\nsecret 0123456789abcdef\nscope shared\n", servers[a].Addr, servers[b].Addr)
	}
	one, two := harness.Start(t, site(t, options(0, 1))), harness.Start(t, site(t, options(1, 0)))
	clients := make([]*http.Client, 8)
	for i := range clients {
		clients[i] = harness.Client(t)
		if i < 2 {
			setKeys(t, clients[i], one.URL, two.URL)
		} else if _, err := get(clients[i], one.URL, update, `{"n":0}`); err != nil {
			t.Fatal(err)
		}
	}
	one.Stop()
	one.Run()
	hasKeys(t, clients[0], one.URL)

	servers[1].Kill()
	lost := 0
	for _, client := range clients {
		switch data, err := get(client, one.URL); {
		case err == nil && data != "{}":
		case err != nil && strings.Contains(err.Error(), "503"):
			lost++
		default:
			t.Errorf("data %s, %v", data, err)
		}
	}
	t.Logf("%d of %d sessions are on the server that died", lost, len(clients))
}

// TestMongoDBStore changes one session through two proxies and kills the server: requests get 503
// meanwhile, and nothing is lost.
func TestMongoDBStore(t *testing.T) {
	t.Parallel()
	server := mongotest.Start(t)
	options := fmt.Sprintf("store_timeout 10s\nstore mongodb %s {\ncollection e2e\ntimeout 10s\n}\nsecret 0123456789abcdef\nscope shared\n", server.URI())
	one, two := harness.Start(t, site(t, options)), harness.Start(t, site(t, options))
	client := harness.Client(t)
	setKeys(t, client, one.URL, two.URL)
	server.Kill()
	if _, err := get(client, one.URL); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("got %v", err)
	}
	server.Restart()
	for end := time.Now().Add(10 * time.Second); ; {
		_, err := get(client, one.URL)
		if err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("not back: %v", err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	hasKeys(t, client, one.URL)
	hasKeys(t, client, two.URL)
	two.Stop()
	two.Run()
	hasKeys(t, client, two.URL)
}
