// Package faults tests what must not be lost when processes are killed, configurations are
// reloaded, and many requests come at once.
package faults

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/internal/longtest"
	"github.com/caddy-session/caddy-session/test/harness"
)

// All of these tests are long.
func TestMain(m *testing.M) {
	longtest.Tests()
	os.Exit(m.Run())
}

// site returns a Caddyfile with a session block in front of the echo backend.
func site(tb testing.TB, options string) string {
	return fmt.Sprintf("http://$ADDR {\n\tsession {\n%s\n\t}\n\treverse_proxy %s\n}\n", options, harness.Backend(tb, harness.Echo))
}

// get requests response headers from the echo backend, and returns the session data that the
// request found.
func get(client *http.Client, base string, headers ...string) (data string, err error) {
	query := url.Values{}
	for i := 0; i < len(headers); i += 2 {
		query.Add(headers[i], headers[i+1])
	}
	resp, err := client.Get(base + "/?" + query.Encode())
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("status %s", resp.Status)
	}
	for line := range strings.Lines(string(body)) {
		if data, found := strings.CutPrefix(line, "X-Session-Data: "); found {
			return strings.TrimSpace(data), nil
		}
	}
	return "", fmt.Errorf("the backend got no session header: %q", body)
}

const update = "X-Session-Update"

// decode parses a session's data.
func decode[T any](tb testing.TB, data string) T {
	tb.Helper()
	var v T
	if err := json.Unmarshal([]byte(data), &v); err != nil {
		tb.Fatalf("data %q: %v", data, err)
	}
	return v
}
