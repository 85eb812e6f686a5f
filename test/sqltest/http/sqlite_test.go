// Package http_test tests an SQL store with real requests through a real Caddy.
package http_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/internal/longtest"
	"github.com/caddy-session/caddy-session/test/harness"
)

// All of these tests are long.
func TestMain(m *testing.M) {
	longtest.Tests()
	harness.MainOf(m, "./test/sqltest/cmd/caddy")
}

// get sends a change through the echo backend and returns the headers that the backend got.
func get(client *http.Client, base, update string) (string, error) {
	resp, err := client.Get(base + "/?X-Session-Update=" + url.QueryEscape(update))
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %s", resp.Status)
	}
	return string(body), err
}

// TestSQLite changes a session with concurrent requests, kills Caddy, and finds all changes in the
// file.
func TestSQLite(t *testing.T) {
	site := fmt.Sprintf("http://$ADDR {\n\tsession {\n\t\tsecret 0123456789abcdef-a-secret\n\t\tstore_timeout 10s\n"+
		"\t\tstore sql sqlite $DIR/sessions.db {\n\t\t\tcreate_table on\n\t\t}\n\t}\n\treverse_proxy %s\n}\n", harness.Backend(t, harness.Echo))
	caddy := harness.Start(t, site)
	if _, err := os.Stat(filepath.Join(caddy.Dir, "sessions.db")); err == nil {
		t.Error("the file exists before the first session")
	}
	client := harness.Client(t)
	if _, err := get(client, caddy.URL, `{"first":1}`); err != nil {
		t.Fatal(err)
	}
	const n = 50
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			if _, err := get(client, caddy.URL, fmt.Sprintf(`{"k%d":1}`, i)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	caddy.Kill()
	caddy.Run()
	if err := caddy.Reload(strings.Replace(site, "create_table on", "pool_size 3", 1)); err != nil {
		t.Error(err)
	}
	told, err := get(client, caddy.URL, `{}`)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if !strings.Contains(told, fmt.Sprintf(`"k%d":1`, i)) {
			t.Errorf("k%d is lost", i)
		}
	}
	caddy.Write(strings.Replace(site, "sql sqlite", "sql postgres", 1))
	out, err := caddy.Command("adapt", "--config", caddy.Config(), "--adapter", "caddyfile").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "--with github.com/caddy-session/caddy-session/caddymodule/stores/sql/postgres") {
		t.Errorf("%v: %s", err, out)
	}
}

// TestSQLLogsToThePresentLog is the test of the same name in test/faults, for a store that is not
// built in there.
func TestSQLLogsToThePresentLog(t *testing.T) {
	const says = "the database is unreachable"
	config := func(log string) string {
		return fmt.Sprintf("{\n\tadmin $ADMIN\n\tauto_https off\n\tlog {\n\t\toutput file $DIR/%s\n\t}\n}\nhttp://$ADDR {\n\tsession {\n\t\tsecret 0123456789abcdef-a-secret\n"+
			"\t\tstore sql sqlite $DIR/sessions.db {\n\t\t\tcreate_table on\n\t\t}\n\t}\n\treverse_proxy %s\n}\n", log, harness.Backend(t, harness.Echo))
	}
	caddy := harness.Start(t, config("one.log"))
	client := harness.Client(t)
	if _, err := get(client, caddy.URL, `{"first":1}`); err != nil {
		t.Fatal(err)
	}
	if err := caddy.Reload(config("two.log")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(caddy.Dir, "sessions.db"), filepath.Join(caddy.Dir, "aside.db")); err != nil {
		t.Fatal(err)
	}
	logged := func(log string) bool {
		text, _ := os.ReadFile(filepath.Join(caddy.Dir, log))
		return strings.Contains(string(text), says)
	}
	for end := time.Now().Add(10 * time.Second); !logged("two.log"); time.Sleep(20 * time.Millisecond) {
		_, _ = get(client, caddy.URL, `{"more":1}`)
		if time.Now().After(end) {
			t.Fatal("the present log lacks the warning")
		}
	}
	if logged("one.log") {
		t.Error("the former log has the warning")
	}
}
