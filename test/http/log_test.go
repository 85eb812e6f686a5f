package http_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/test/harness"
	"github.com/caddy-session/caddy-session/test/harness/faulty"
)

// canary is part of all session data in these tests.
const canary = "CaNaRy"

// respondWith is a handler that responds with these headers. They are not in the URL, which Caddy
// logs.
func respondWith(pairs ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for i := 0; i < len(pairs); i += 2 {
			name := pairs[i]
			if long, ok := short[name]; ok {
				name = long
			}
			w.Header().Add(name, pairs[i+1])
		}
	}
}

const logged = `
http://$ADDR {
	log
	session {
		store faulty $DIR/store
		secret $SECRET
		regenerate_grace 1s
		capture X-Login login
	}
	handle /dead {
		reverse_proxy $DEAD
	}
	handle /fcgi {
		reverse_proxy $FCGI {
			transport fastcgi
		}
	}
	handle /rawfcgi {
		reverse_proxy $RAWFCGI {
			transport fastcgi
		}
	}
	handle {
		reverse_proxy $BACKEND {
			flush_interval -1
		}
	}
}`

func startLogged(t *testing.T, options ...string) (*harness.Caddy, *browser, faulty.Control) {
	t.Helper()
	c := start(t, globals(options...)+logged)
	dir := filepath.Join(c.Dir, "store")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return c, visit(t, c), faulty.Control(dir)
}

// checkQuiet fails the test if a log line has session data, a cookie or an id.
func checkQuiet(t *testing.T, c *harness.Caddy, cookies ...string) {
	t.Helper()
	words := []string{canary}
	for _, cookie := range cookies {
		if cookie == "" {
			continue
		}
		value := strings.TrimPrefix(cookie, "caddy_session=")
		id, signature, _ := strings.Cut(value, ".")
		words = append(words, value, id, signature)
	}
	for _, line := range leaks(c.Log(), words) {
		t.Errorf("the log has a secret: %.1500s", line)
	}
}

// accessLogged returns the session_ref fields of the access log, "" for missing ones.
func accessLogged(c *harness.Caddy) (refs []string) {
	for line := range strings.Lines(c.Log()) {
		var entry struct {
			Logger string
			Msg    string
			Ref    string `json:"session_ref"`
		}
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == "handled request" {
			refs = append(refs, entry.Ref)
		}
	}
	return refs
}

func TestLog(t *testing.T) {
	t.Parallel()
	for _, level := range []string{"INFO", "DEBUG"} {
		t.Run(level, func(t *testing.T) {
			t.Parallel()
			c, b, control := startLogged(t, "log {\n level "+level+"\n }")
			var cookies []string
			do := func(pairs ...string) *reply {
				t.Helper()
				r := b.via(respondWith(pairs...)).get("/path")
				cookies = append(cookies, strings.Split(b.cookies(), "; ")...)
				return r
			}
			value := `{"` + canary + `":"` + canary + `"}`
			do("update", value, "flash", `["`+canary+`","`+canary+`"]`).want(http.StatusOK).issues()
			do("update", value, "flash", `"`+canary+`"`, "X-Login", canary).want(http.StatusOK)
			for _, pairs := range [][]string{
				{"update", value + canary}, {"update", `[{"op":"test","path":"/` + canary + `","value":"` + canary + `x"}]`},
				{"update", `[{"op":"` + canary + `"}]`}, {"update", `[{"op":"add","path":"/no/` + canary + `","value":1}]`},
				{"update", `{"` + canary + `":1,"` + canary + `":2}`}, {"update", `[{"op":"increment","path":"/` + canary + `","value":1}]`},
				{"update", text(5000)[:4000] + canary + `"}`}, {"flash", canary}, {"flash", `{"` + canary + `":1}`},
				{"control", canary + "=1"}, {"control", strings.ToLower(canary)}, {"control", `flash-seen=("` + canary + `" 1)`},
				{"control", `permanent="` + canary + `"`}, {"X_Session_Update", value}, {"Set-Cookie", "caddy_session=" + canary},
				{"X-Login", canary + "\xff"}, {"update", "\"" + canary}, {"update", value, "update", canary},
			} {
				do(pairs...)
			}
			b.get("/dead").want(http.StatusBadGateway)
			b.via(respondWith("update", value)).get("/fcgi").want(http.StatusOK)
			b.via(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("X-Session-Update", value)
				w.WriteHeader(http.StatusEarlyHints)
				w.Header().Set("Trailer", "X-Session-Update")
				_, _ = io.WriteString(w, "body")
				w.Header().Set("X-Session-Update", value)
				w.Header().Set(http.TrailerPrefix+"X-Session-Control", canary)
			}).get("/").want(http.StatusOK)
			b.via(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("X-Session-Update", canary)
				for r.Context().Err() == nil {
					_, _ = io.WriteString(w, canary)
				}
			}).get("/").want(http.StatusBadGateway)
			r, socket := b.upgrade("status", "101")
			r.want(http.StatusSwitchingProtocols)
			_ = socket.Close()
			eventually(t, "the socket is closed", func() bool { return strings.Contains(c.Log(), `"status":101`) })
			tell(t, control, faulty.Set, faulty.Fail)
			do("update", `{"x":"`+canary+`"}`).want(http.StatusServiceUnavailable)
			r, _ = b.upgrade("control", "regenerate")
			r.want(http.StatusServiceUnavailable)
			tell(t, control, faulty.Set, "")
			tell(t, control, faulty.Get, faulty.Damaged)
			do().want(http.StatusServiceUnavailable)
			tell(t, control, faulty.Get, faulty.Fail)
			do().want(http.StatusServiceUnavailable)
			tell(t, control, faulty.Get, "")
			tell(t, control, faulty.Touch, faulty.Fail)
			do("control", "regenerate", "update", `{"x":"`+canary+`"}`).want(http.StatusOK).issues()
			slow := b.hold()
			do("control", "destroy", "flash", `"`+canary+`"`).want(http.StatusOK).issues()
			slow.release()
			do("control", "destroy").want(http.StatusOK).expires()

			c.Stop()
			checkQuiet(t, c, cookies...)
			if log := c.Log(); !strings.Contains(log, "session change refused") || !strings.Contains(log, "X-Session-Update, line 1") {
				t.Error("refusals are logged without their header")
			}
		})
	}
}

func TestAccessLog(t *testing.T) {
	t.Parallel()
	c, b, _ := startLogged(t)
	b.look()
	b.change("update", `{"a":1}`)
	one := b.look().info().ref
	b.change("control", "regenerate")
	two := b.look().info().ref
	b.ask("update", "{").want(http.StatusBadGateway)
	b.change("control", "destroy")
	c.Stop()
	got := accessLogged(c)
	want := []string{"", one, one, two, two, "", ""}
	// The ref for a refused commit and a destroyed session is not specified, but is never another
	// session's.
	if len(got) != len(want) {
		t.Fatalf("%d lines, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] && (i < 5 || got[i] != two) {
			t.Errorf("line %d: session_ref %q, want %q", i, got[i], want[i])
		}
	}
	checkQuiet(t, c)
}

// hangUp aborts a download.
func hangUp(t *testing.T, b *browser) {
	t.Helper()
	b.via(respondWith("update", `{"name":"`+canary+`"}`)).get("/").want(http.StatusOK)
	gone := make(chan struct{})
	download := b.via(func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			_, _ = w.Write(make([]byte, 32<<10))
		}
		close(gone)
	})
	ctx, cancel := context.WithCancel(context.Background())
	r := download.open(download.request(http.MethodGet, "/", nil).WithContext(ctx))
	if _, err := io.CopyN(io.Discard, r.Body, 1<<20); err != nil {
		t.Fatal(err)
	}
	cancel()
	waits(t, "the backend notices that the client has gone", gone)
}

// The documentation's filter against warnings of reverse_proxy and FastCGI works at every level.
func TestLogWithTheFilterOfTheDocumentation(t *testing.T) {
	t.Parallel()
	c, b, _ := startLogged(t, quietly(t))
	hangUp(t, b)
	abort(b)
	surplus(b)
	c.Stop()
	log := c.Log()
	for _, warning := range []string{"aborting with incomplete response", "discarding upstream response bytes", "upstream roundtrip"} {
		if !strings.Contains(log, warning) {
			t.Errorf("Caddy no longer logs %q", warning)
		}
	}
	checkQuiet(t, c)
	for line := range strings.Lines(log) {
		if strings.Contains(line, canary) {
			t.Fatalf("a DEBUG line has session data: %.3000s", line)
		}
	}
}

// abort makes the backend abort in the body.
func abort(b *browser) {
	b.t.Helper()
	broken := b.via(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "part")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	r := broken.open(broken.request(http.MethodGet, "/", nil)).want(http.StatusOK)
	_, _ = io.ReadAll(r.Body)
}

// surplus makes a FastCGI backend send more than it announced.
func surplus(b *browser) {
	b.t.Helper()
	b.via(fcgiHandler(func(map[string]string) string {
		return "Content-Length: 2\r\n\r\nmore than two"
	})).get("/rawfcgi").want(http.StatusOK)
}
