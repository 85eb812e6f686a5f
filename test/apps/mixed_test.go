package apps_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/internal/longtest"
	"github.com/caddy-session/caddy-session/test/harness"
)

// Concurrent users of an adopted session see only their own data while configurations change.
func TestAttackAdoptedSessionsMixed(t *testing.T) {
	const users = 64
	length := 8 * time.Second
	if !longtest.All() {
		length = time.Second
	}
	proxied, _, caddy := startLegacy(t)
	config, err := os.ReadFile(caddy.Config())
	if err != nil {
		t.Fatal(err)
	}
	ask := func(client *http.Client, path string) (status int, body string, ok bool) {
		resp, err := client.Get(proxied + path)
		if err != nil {
			return 0, "", false // a reload closed the connection
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		return resp.StatusCode, string(text), err == nil
	}

	var asked atomic.Int64
	var all sync.WaitGroup
	end := time.Now().Add(length)
	for i := range users {
		client, user := harness.Client(t), fmt.Sprintf("user-%02d", i)
		all.Go(func() {
			in := false
			for n := 0; time.Now().Before(end); n++ {
				status, body, ok := ask(client, "/session")
				var values map[string]string
				switch {
				case !ok:
					continue
				case status != http.StatusOK || json.Unmarshal([]byte(body), &values) != nil:
					t.Errorf("%s: %d %s", user, status, body)
					return
				case in && values["user_id"] != user:
					t.Errorf("%s is logged in as %q", user, values["user_id"])
					return
				}
				for key, value := range values {
					if !strings.HasPrefix(value, user) {
						t.Errorf("%s sees %s, which is %s", user, key, value)
						return
					}
				}
				asked.Add(1)
				path := fmt.Sprintf("/set/k%d?value=%s-%d", n%5, user, n)
				if !in {
					path = "/login/" + user
				}
				if status, _, ok := ask(client, path); ok && status == http.StatusOK {
					in = true
				} else if ok {
					t.Errorf("%s: %s: status %d", user, path, status)
					return
				}
			}
		})
	}
	for n := 1; time.Now().Before(end); n++ {
		if err := caddy.Reload(strings.Replace(string(config), "max_size 16000", fmt.Sprint("max_size ", 16000+n), 1)); err != nil {
			t.Error(err)
		}
		time.Sleep(300 * time.Millisecond)
	}
	all.Wait()
	t.Logf("%d sessions were checked", asked.Load())
	if longtest.All() && asked.Load() < users {
		t.Errorf("only %d sessions were checked", asked.Load())
	}
}
