package faults

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/test/harness"
)

// load posts JSON to the admin API and returns why it was rejected, or "".
func load(t *testing.T, c *harness.Caddy, config []byte) string {
	t.Helper()
	resp, err := http.Post("http://"+c.Admin+"/load", "application/json", bytes.NewReader(config))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode == http.StatusOK {
		return ""
	}
	return string(body)
}

// adapt returns the JSON of a Caddyfile.
func adapt(t *testing.T, c *harness.Caddy, caddyfile string) []byte {
	t.Helper()
	c.Write(caddyfile)
	out, err := c.Command("adapt", "--config", c.Config(), "--adapter", "caddyfile").Output()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestRejectedConfigurationChangesNothing has Caddy reject a configuration with a limit of one
// session: while provisioning, at the start, and after the start. The sessions of the running
// configuration stay.
func TestRejectedConfigurationChangesNothing(t *testing.T) {
	t.Parallel()
	for name, store := range map[string]struct{ store, limit string }{
		"memory": {"memory", "max_sessions 1"},
		"file":   {"file $DIR/files", "threshold 1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			backend := harness.Backend(t, harness.Echo)
			config := func(limit, rest string) string {
				return fmt.Sprintf("http://$ADDR {\n\troute {\n\t\tsession {\n\t\t\tstore %s {\n%s\n}\n\t\t}\n\t\trespond /mark mark\n\t\treverse_proxy %s\n\t}\n}\n%s",
					store.store, limit, backend, rest)
			}
			caddy := harness.Start(t, config("", ""))
			var clients []*http.Client
			enter := func() {
				t.Helper()
				client := harness.Client(t)
				if _, err := get(client, caddy.URL, update, `{"a":1}`); err != nil {
					t.Fatal(err)
				}
				clients = append(clients, client)
			}
			alive := func() (n int) {
				t.Helper()
				for _, client := range clients {
					data, err := get(client, caddy.URL)
					if err != nil {
						t.Fatal(err)
					}
					if data == `{"a":1}` {
						n++
					}
				}
				return n
			}
			for range 5 {
				enter()
			}
			taken, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer taken.Close()
			busy := fmt.Sprintf("http://%s {\n\trespond ok\n}\n", taken.Addr())
			limited := adapt(t, caddy, config(store.limit, ""))
			var whole map[string]any
			if err := json.Unmarshal(limited, &whole); err != nil {
				t.Fatal(err)
			}
			whole["admin"].(map[string]any)["config"] = map[string]any{
				"load": map[string]any{"module": "http", "url": "http://127.0.0.1:1/"},
			}
			late, err := json.Marshal(whole)
			if err != nil {
				t.Fatal(err)
			}
			for _, rejected := range []struct {
				why    string
				config []byte
			}{
				{"unknown module", bytes.ReplaceAll(limited, []byte(`"static_response"`), []byte(`"no_such_handler"`))},
				{"address already in use", adapt(t, caddy, config(store.limit, busy))},
				{"loading dynamic config", late},
			} {
				if why := load(t, caddy, rejected.config); !strings.Contains(why, rejected.why) {
					t.Fatalf("rejected: %q, want %q", why, rejected.why)
				}
				enter()
				if n := alive(); n != len(clients) {
					t.Errorf("%s: %d of %d sessions remain", rejected.why, n, len(clients))
				}
			}
			// When it is accepted, its limit applies.
			if why := load(t, caddy, limited); why != "" {
				t.Fatal(why)
			}
			lost := func() bool {
				// Caddy resets connections that arrive while it changes the configuration.
				_, _ = get(harness.Client(t), caddy.URL, update, `{"a":1}`)
				data, err := get(clients[0], caddy.URL)
				return err == nil && data == "{}"
			}
			for end := time.Now().Add(20 * time.Second); !lost(); time.Sleep(10 * time.Millisecond) {
				if time.Now().After(end) {
					t.Fatal("the limit of the new configuration does not apply")
				}
			}
		})
	}
}
