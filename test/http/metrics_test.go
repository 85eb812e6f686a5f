package http_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/test/harness"
	"github.com/caddy-session/caddy-session/test/harness/faulty"
)

// scrape returns our metrics from the admin API.
func scrape(t *testing.T, c *harness.Caddy) (text string, values map[string]float64) {
	t.Helper()
	resp, err := http.Get("http://" + c.Admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("/metrics: %s, %v:\n%s", resp.Status, err, body)
	}
	values = make(map[string]float64)
	for line := range strings.Lines(string(body)) {
		if !strings.HasPrefix(line, "caddy_session_") {
			continue
		}
		text += line
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if values[name], err = strconv.ParseFloat(value, 64); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
	return text, values
}

// TestMetrics counts requests of several handlers through several configurations of one process.
func TestMetrics(t *testing.T) {
	t.Parallel()
	config := func(n int) string {
		return fmt.Sprintf(`
http://$ADDR {
	handle /two {
		session {
			store memory
			secret $SECRET
			max_size %[1]d
		}
		session {
			name shop
			store bolt
			secret $SECRET
			max_size %[1]d
		}
		reverse_proxy $BACKEND
	}
	handle /faulty {
		session {
			store faulty $DIR/faulty
			secret $SECRET
			cookie {
				name faulty
			}
			max_size %[1]d
		}
		reverse_proxy $BACKEND
	}
}`, 4000+n)
	}
	c := start(t, config(0))
	control := faulty.Control(filepath.Join(c.Dir, "faulty"))
	if err := os.Mkdir(string(control), 0o700); err != nil {
		t.Fatal(err)
	}
	b := visit(t, c)
	refs := []string{"evil", "127.0.0.1"}
	const configurations = 4 // three reloads
	for n := 1; n <= configurations; n++ {
		b.get(ask("/two", "update", `{"a":`+fmt.Sprint(n)+`}`, "X-Session-Shop-Update", `{"a":1}`)).want(http.StatusOK)
		refs = append(refs, b.get("/two").want(http.StatusOK).info().ref)
		b.get(ask("/faulty", "update", `{"a":`+fmt.Sprint(n)+`}`)).want(http.StatusOK)
		tell(t, control, faulty.Get, faulty.Fail)
		b.get("/faulty").want(http.StatusServiceUnavailable)
		tell(t, control, faulty.Get, "")
		b.get(ask("/faulty", "update", `{`)).want(http.StatusBadGateway)
		tell(t, control, faulty.Set, faulty.Fail)
		b.get(ask("/faulty", "update", `{"b":1}`)).want(http.StatusServiceUnavailable)
		tell(t, control, faulty.Set, "")
		b.holding("caddy_session=evil.evil").get("/two").want(http.StatusOK)

		text, got := scrape(t, c)
		total := float64(n)
		for name, want := range map[string]float64{
			`caddy_session_requests_total{outcome="anonymous"}`:   2 + 1 + total, // the forged requests have no cookie of the shop
			`caddy_session_requests_total{outcome="hit"}`:         4*total - 2 + 3*total - 1,
			`caddy_session_requests_total{outcome="forged"}`:      total,
			`caddy_session_requests_total{outcome="expired"}`:     0,
			`caddy_session_requests_total{outcome="canceled"}`:    0,
			`caddy_session_requests_total{outcome="unavailable"}`: total,
			`caddy_session_commits_total{outcome="saved"}`:        2*total - (total - 1) + total, // only the shop's first
			`caddy_session_commits_total{outcome="none"}`:         (total - 1) + 2*total + 2*total,
			`caddy_session_commits_total{outcome="refused"}`:      total,
			`caddy_session_commits_total{outcome="failed"}`:       total,

			`caddy_session_store_operations_total{operation="set",outcome="ok",store="memory"}`:               total,
			`caddy_session_store_operations_total{operation="set",outcome="ok",store="bolt"}`:                 1,
			`caddy_session_store_operations_total{operation="get",outcome="error",store="faulty"}`:            total,
			`caddy_session_store_operations_total{operation="set",outcome="error",store="faulty"}`:            total,
			`caddy_session_store_operations_total{operation="get",outcome="found",store="memory"}`:            2*total - 1,
			`caddy_session_store_operations_total{operation="delete",outcome="ok",store="memory"}`:            0,
			`caddy_session_store_operation_duration_seconds_count{operation="set",store="faulty"}`:            2 * total,
			`caddy_session_record_bytes_count{store="memory"}`:                                                total,
			`caddy_session_records{store="memory"}`:                                                           1,
			`caddy_session_store_operation_duration_seconds_bucket{operation="get",store="memory",le="+Inf"}`: 2*total - 1,
		} {
			if value, ok := got[name]; !ok || value != want {
				t.Errorf("configuration %d: %s is %v, want %v", n, name, value, want)
			}
		}
		for _, line := range leaks(text, append(issued(), refs...)) {
			t.Errorf("a label identifies a session or client: %s", line)
		}
		if n < configurations {
			if err := c.Reload(expand(config(n))); err != nil {
				t.Fatal(err)
			}
		}
	}

	// A configuration without sessions shows no metrics; the next one continues to count.
	_, before := scrape(t, c)
	if err := c.Reload("http://$ADDR {\n\trespond ok\n}\n"); err != nil {
		t.Fatal(err)
	}
	if text, _ := scrape(t, c); text != "" {
		t.Errorf("without sessions: %s", text)
	}
	if err := c.Reload(expand(config(0))); err != nil {
		t.Fatal(err)
	}
	_, after := scrape(t, c)
	for name, value := range before {
		// This is of the memory, which has ended with the last configuration that used it.
		if after[name] != value && name != `caddy_session_records{store="memory"}` {
			t.Errorf("%s is %v, was %v", name, after[name], value)
		}
	}
}
