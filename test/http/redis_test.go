package http_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/test/docs"
	"github.com/caddy-session/caddy-session/test/harness"
	"github.com/caddy-session/caddy-session/test/redistest"
)

const redisPassword = "ReDiS-pAsSwOrD"

// onRedis starts a Caddy with its sessions in Redis.
func onRedis(t *testing.T, server *redistest.Server, global, options string) *harness.Caddy {
	t.Helper()
	return start(t, globals(global)+fmt.Sprintf(`
http://$ADDR {
	session {
		store redis redis://:%s@%s
		secret $SECRET
		%s
	}
	reverse_proxy $BACKEND
}`, redisPassword, server.Addr(), options))
}

// quietly configures a log with the documentation's filter, so that it must have no secrets at any
// level.
func quietly(t *testing.T) string {
	t.Helper()
	return "log {\n level DEBUG\n format filter {" + docs.Between(t, "\t\tformat filter {", "\t\t}") + "}\n}"
}

// Two proxies share sessions in Redis, which is down at the start, goes down again, and comes back.
func TestRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Options{AOF: true, Password: redisPassword})
	server.Kill()
	log := quietly(t)
	failing := onRedis(t, server, log, "")
	anonymous := onRedis(t, server, log, "on_store_error anonymous")
	validate(t, failing)
	value := `{"` + canary + `":"` + canary + `"}`

	one, two := visit(t, failing), visit(t, anonymous)
	for _, b := range []*browser{one, two} {
		b.look().want(http.StatusOK).holds("{}").keeps() // the store is not asked
		b.via(respondWith("update", value)).get("/").want(http.StatusServiceUnavailable).keeps()
	}

	server.Restart()
	eventually(t, "sessions can be saved", func() bool {
		return one.via(respondWith("update", value)).get("/").StatusCode == http.StatusOK
	})
	// The other proxy has its own connections, and may be in its own pause.
	second := two.holding(one.cookies())
	eventually(t, "the other proxy reads", func() bool { return second.look().StatusCode == http.StatusOK && second.look().info().exists })
	second.look().holds(value)
	second.via(respondWith("update", `{"n":1}`)).get("/").want(http.StatusOK)
	one.look().holds(`{"` + canary + `":"` + canary + `","n":1}`)

	server.Kill()
	one.get("/").want(http.StatusServiceUnavailable).keeps()
	gone := second.look().want(http.StatusOK).holds("{}").keeps()
	if got := gone.info(); got.exists || !got.unavailable {
		t.Errorf("info %+v", got)
	}
	second.via(respondWith("update", `{"n":2}`)).get("/").want(http.StatusServiceUnavailable).keeps()
	if r := one.get("/"); r.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	validate(t, failing)

	server.Restart()
	back := time.Now()
	eventually(t, "sessions can be read again", func() bool {
		return one.get("/").StatusCode == http.StatusOK && second.look().info().exists
	})
	if took := time.Since(back); took > 3*time.Second {
		t.Errorf("it took %v", took)
	}
	one.look().holds(`{"` + canary + `":"` + canary + `","n":1}`)
	cookie := one.cookies()
	one.via(respondWith("control", "destroy")).get("/").want(http.StatusOK).expires()
	second.look().holds("{}")

	for name, c := range map[string]*harness.Caddy{"fail": failing, "anonymous": anonymous} {
		c.Stop()
		id, signature, _ := strings.Cut(strings.TrimPrefix(cookie, "caddy_session="), ".")
		for line := range strings.Lines(c.Log()) {
			for _, word := range []string{canary, id, signature, redisPassword} {
				if strings.Contains(line, word) {
					t.Errorf("%s: the log has a secret: %.1500s", name, line)
				}
			}
		}
		if log := c.Log(); !strings.Contains(log, "redis is unreachable") || !strings.Contains(log, "redis is back") {
			t.Errorf("%s: the outage is not logged", name)
		}
	}
}

func validate(t *testing.T, c *harness.Caddy) {
	t.Helper()
	if out, err := c.Command("validate", "--config", c.Config(), "--adapter", "caddyfile").CombinedOutput(); err != nil {
		t.Errorf("caddy validate with Redis down: %v\n%s", err, out)
	}
}

// An outage under load does not flood the log.
func TestLogOfAnOutage(t *testing.T) {
	t.Parallel()
	const failures = 500
	for _, mode := range []string{"fail", "anonymous"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t, redistest.Options{Password: redisPassword})
			c := onRedis(t, server, "", "on_store_error "+mode)
			b := visit(t, c)
			b.change("update", `{"a":1}`).issues()
			cookie := b.cookies()
			server.Kill()
			before := len(c.Log())
			var clients sync.WaitGroup
			var mu sync.Mutex
			statuses := make(map[int]int)
			began := time.Now()
			// Five seconds, or longer on a busy machine, until enough requests have failed to
			// compare with the lines.
			enough := func() bool {
				mu.Lock()
				defer mu.Unlock()
				lasted := time.Since(began)
				return lasted > time.Minute || lasted > 5*time.Second && statuses[http.StatusServiceUnavailable] >= failures
			}
			for range 8 {
				client := visit(t, c).holding(cookie)
				clients.Go(func() {
					for n := 0; !enough(); n++ {
						path := "/"
						if n%2 == 1 {
							path = "/?update=" + `{"b":1}`
						}
						r := client.attempt(client.request(http.MethodGet, path, nil))
						if r == nil {
							return
						}
						mu.Lock()
						statuses[r.StatusCode]++
						mu.Unlock()
					}
				})
			}
			clients.Wait()
			seconds := int(time.Since(began).Seconds())
			ours, caddys := 0, 0
			for line := range strings.Lines(c.Log()[before:]) {
				if strings.Contains(line, `"logger":"http.log.error"`) {
					caddys++ // Caddy logs each error of a handler
				} else {
					ours++
				}
			}
			t.Logf("responses by status: %v; %d lines in the log, %d of Caddy's own", statuses, ours, caddys)
			if statuses[http.StatusServiceUnavailable] < failures {
				t.Errorf("only %d requests failed", statuses[http.StatusServiceUnavailable])
			}
			if ours > 20*seconds {
				t.Errorf("%d lines in %d seconds", ours, seconds)
			}
		})
	}
}
