// Package operate tests what operators do with a running Caddy: the admin API, the command line and
// the metrics.
package operate

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/internal/longtest"
	"github.com/caddy-session/caddy-session/test/harness"
	"github.com/caddy-session/caddy-session/test/redistest"
)

// All of these tests are long.
func TestMain(m *testing.M) {
	longtest.Tests()
	harness.MainOf(m, "./test/cmd/all")
}

// stores are the Caddyfile lines of the stores that can list their sessions, by kind.
func stores(t *testing.T) map[string]string {
	dir := t.TempDir()
	return map[string]string{
		"bolt":   "store bolt",
		"memory": "store memory",
		"file":   "store file",
		"sql":    "store sql sqlite " + filepath.Join(dir, "sessions.sqlite") + " {\n create_table on\n }",
		"redis":  "store redis " + redistest.Start(t, redistest.Options{}).Addr(),
	}
}

// site returns a Caddyfile with a session block in front of the echo backend.
func site(tb testing.TB, options string) string {
	return fmt.Sprintf("http://$ADDR {\n\tsession {\n\t\tuser user\nstore_timeout 30s\n%s\n\t}\n\treverse_proxy %s\n}\n", options, harness.Backend(tb, harness.Echo))
}

// visitor is a browser.
type visitor struct {
	t      *testing.T
	client *http.Client
	base   string
}

func visit(t *testing.T, base string) *visitor {
	return &visitor{t, harness.Client(t), base}
}

// ask requests response headers from the echo backend, and returns the session headers that the
// request had.
func (v *visitor) ask(headers ...string) (got map[string]string) {
	v.t.Helper()
	query := url.Values{}
	for i := 0; i < len(headers); i += 2 {
		query.Add(headers[i], headers[i+1])
	}
	resp, err := v.client.Get(v.base + "/?" + query.Encode())
	if err != nil {
		v.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		v.t.Fatalf("status %s, %v", resp.Status, err)
	}
	got = make(map[string]string)
	for line := range strings.Lines(string(body)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		got[name] = value
	}
	return got
}

// login logs in, and returns the session's ref.
func (v *visitor) login(user string) (ref string) {
	v.t.Helper()
	v.ask("X-Session-Update", `{"user":"`+user+`","secret":"not to be seen"}`)
	return v.ref()
}

// ref returns the ref of the session, or nothing if there is none.
func (v *visitor) ref() string {
	v.t.Helper()
	_, rest, _ := strings.Cut(v.ask()["X-Session-Info"], `ref="`)
	ref, _, _ := strings.Cut(rest, `"`)
	return ref
}

// id returns the id in the cookie, which no operator must see.
func (v *visitor) id() string {
	at, err := url.Parse(v.base)
	if err != nil {
		v.t.Fatal(err)
	}
	for _, cookie := range v.client.Jar.Cookies(at) {
		if id, _, signed := strings.Cut(cookie.Value, "."); signed {
			return id
		}
	}
	return ""
}

// api sends a request to the admin API. It decodes the answer into v, unless that is nil.
func api(t *testing.T, c *harness.Caddy, method, path, body string, v any) (status int, text string) {
	t.Helper()
	r, err := http.NewRequest(method, "http://"+c.Admin+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body == "" {
		r.Body = nil
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if got := resp.Header.Get("Content-Type"); !strings.HasPrefix(got, "application/json") {
		t.Errorf("%s %s: the type is %q: %s", method, path, got, raw)
	}
	if v != nil && resp.StatusCode == http.StatusOK {
		if err := json.Unmarshal(raw, v); err != nil {
			t.Fatalf("%s %s: %v: %s", method, path, err, raw)
		}
	}
	return resp.StatusCode, string(raw)
}
