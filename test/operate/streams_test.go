package operate

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/websocket"

	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/test/harness"
	"github.com/caddy-session/caddy-session/test/redistest"
)

// patience is the time limit for what is waited for. A proxy looks at the records of streams less
// often, unless it was started by twoProxies as the second.
const patience = 20 * time.Second

// liveApp runs an app with streams, and returns its address.
func liveApp(t *testing.T) string {
	t.Helper()
	addr := harness.FreeAddr(t)
	cmd := exec.Command(harness.Node(t), filepath.Join(harness.Root(), "test", "operate", "live.mjs"))
	_, port, _ := net.SplitHostPort(addr)
	cmd.Env = append(os.Environ(), "PORT="+port)
	harness.Serve(t, "the app with streams", addr, cmd)
	return addr
}

// twoProxies starts two proxies on one Redis in front of one app. The second looks at the records
// of streams all the time.
func twoProxies(t *testing.T, options, store string) (a, b *harness.Caddy) {
	t.Helper()
	redis := redistest.Start(t, redistest.Options{}).Addr()
	site := fmt.Sprintf(`http://$ADDR {
	session {
		secret 0123456789abcdef
		user user
		store redis %s {
			%s
		}
		%s
	}
	session_devices /devices
	reverse_proxy %s
}
`, redis, store, options, liveApp(t))
	a = harness.Start(t, site)
	b = harness.StartWith(t, func(c *harness.Caddy) string {
		c.Prepare = func(cmd *exec.Cmd) { cmd.Env = append(cmd.Env, "SESSION_TEST_LOOK=100ms") }
		return site
	})
	return a, b
}

// holder is whoever holds a cookie. It takes no other.
type holder struct {
	t      *testing.T
	cookie string
}

// ask requests response headers from the app, and returns the session's ref in the request, and a
// holder of the cookie that was given.
func (h holder) ask(c *harness.Caddy, headers ...string) (ref string, given holder) {
	h.t.Helper()
	query := url.Values{}
	for i := 0; i < len(headers); i += 2 {
		query.Add(headers[i], headers[i+1])
	}
	r := h.request(http.MethodGet, c.URL+"/?"+query.Encode(), "")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		h.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		h.t.Fatalf("status %s, %v", resp.Status, err)
	}
	given = h
	for _, cookie := range resp.Cookies() {
		given.cookie = cookie.Name + "=" + cookie.Value
	}
	_, rest, _ := strings.Cut(string(body), `ref="`)
	ref, _, _ = strings.Cut(rest, `"`)
	return ref, given
}

func (h holder) request(method, address, body string) *http.Request {
	h.t.Helper()
	r, err := http.NewRequest(method, address, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	if h.cookie != "" {
		r.Header.Set("Cookie", h.cookie)
	}
	return r
}

func (h holder) ref(c *harness.Caddy) string {
	h.t.Helper()
	ref, _ := h.ask(c)
	return ref
}

// login logs in from nothing, and uses the session.
func login(t *testing.T, c *harness.Caddy, user string) holder {
	t.Helper()
	_, h := holder{t: t}.ask(c, "X-Session-Update", `{"user":"`+user+`"}`)
	if h.ref(c) == "" {
		t.Fatal("not logged in")
	}
	return h
}

// live are a WebSocket and an event stream of one session.
type live struct {
	t      *testing.T
	socket *websocket.Conn
	events *bufio.Reader
}

// open opens both, at an address.
func (h holder) open(addr string) *live {
	h.t.Helper()
	config, err := websocket.NewConfig("ws://"+addr+"/socket", "http://"+addr)
	if err != nil {
		h.t.Fatal(err)
	}
	config.Header.Set("Cookie", h.cookie)
	socket, err := websocket.DialConfig(config)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = socket.Close() })
	client := &http.Client{Timeout: 3 * patience, Transport: new(http.Transport)}
	resp, err := client.Do(h.request(http.MethodGet, "http://"+addr+"/events", ""))
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = resp.Body.Close() })
	l := &live{h.t, socket, bufio.NewReader(resp.Body)}
	if line, err := l.events.ReadString('\n'); err != nil || line != "data: hello\n" {
		h.t.Fatalf("the first event: %q, %v", line, err)
	}
	l.echoes()
	return l
}

// echoes checks that the WebSocket is open.
func (l *live) echoes() {
	l.t.Helper()
	_ = l.socket.SetDeadline(time.Now().Add(patience))
	var got string
	err := websocket.Message.Send(l.socket, "hello")
	if err == nil {
		err = websocket.Message.Receive(l.socket, &got)
	}
	if err != nil || got != "hello" {
		l.t.Errorf("the socket echoes %q, %v", got, err)
	}
}

// closes checks that both close.
func (l *live) closes(where string) {
	l.t.Helper()
	_ = l.socket.SetDeadline(time.Now().Add(patience))
	var got string
	err := websocket.Message.Receive(l.socket, &got)
	if timeout, ok := err.(net.Error); err == nil || ok && timeout.Timeout() {
		l.t.Errorf("%s: the socket is open: %q, %v", where, got, err)
	}
	ended := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, l.events)
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(patience):
		l.t.Errorf("%s: the event stream is open", where)
	}
}

// renewed is a user's session that has got a new id. All have used the old one, and if used is set,
// the new one too: otherwise its answer was lost.
type renewed struct {
	former, latest       holder
	formerRef, latestRef string
}

func renew(t *testing.T, c *harness.Caddy, user string, used bool) renewed {
	t.Helper()
	r := renewed{former: login(t, c, user)}
	r.formerRef, r.latest = r.former.ask(c, "X-Session-Control", "regenerate")
	if used {
		r.latestRef = r.latest.ref(c)
	}
	return r
}

// devices ends a session by session_devices.
func (h holder) devices(c *harness.Caddy, end string) {
	h.t.Helper()
	r := h.request(http.MethodPost, c.URL+"/devices", url.Values{"end": {end}}.Encode())
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", c.URL)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		h.t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		h.t.Errorf("session_devices: %s", resp.Status)
	}
}

// ends are the ways in which a session can be ended. me is another session of the user, and victim
// the one to end.
var ends = map[string]func(t *testing.T, c *harness.Caddy, user string, me holder, victim renewed){
	"end-others": func(_ *testing.T, c *harness.Caddy, _ string, me holder, _ renewed) {
		me.ask(c, "X-Session-Control", "end-others")
	},
	"end-all": func(_ *testing.T, c *harness.Caddy, _ string, me holder, _ renewed) {
		me.ask(c, "X-Session-Control", "end-all")
	},
	"DELETE by its ref": func(t *testing.T, c *harness.Caddy, _ string, _ holder, victim renewed) {
		api(t, c, http.MethodDelete, "/session/sessions/"+victim.latestRef, "", nil)
	},
	"DELETE by a former ref": func(t *testing.T, c *harness.Caddy, _ string, _ holder, victim renewed) {
		api(t, c, http.MethodDelete, "/session/sessions/"+victim.formerRef, "", nil)
	},
	"POST by user": func(t *testing.T, c *harness.Caddy, user string, _ holder, _ renewed) {
		api(t, c, http.MethodPost, "/session/end", `{"user":"`+user+`"}`, nil)
	},
	"caddy session end": func(t *testing.T, c *harness.Caddy, _ string, _ holder, victim renewed) {
		says(t, c, []string{"end", victim.latestRef})
	},
	"caddy session end --user": func(t *testing.T, c *harness.Caddy, user string, me holder, _ renewed) {
		says(t, c, []string{"end", "--user", user, "--except", me.ref(c)})
	},
	"session_devices": func(_ *testing.T, c *harness.Caddy, _ string, me holder, victim renewed) {
		me.devices(c, victim.latestRef)
	},
	"session_devices, all others": func(_ *testing.T, c *harness.Caddy, _ string, me holder, _ renewed) {
		me.devices(c, "others")
	},
	"destroy": func(_ *testing.T, c *harness.Caddy, _ string, _ holder, victim renewed) {
		victim.latest.ask(c, "X-Session-Control", "destroy")
	},
}

// TestEndedForEveryProxy ends a session through one proxy. It must be over in the other one too
// when the answer is given, by each id that it has had: with a near cache, within its bound. Its
// WebSocket and its event stream close, in the first proxy at once, in the other at its next look.
// Those of others go on.
func TestEndedForEveryProxy(t *testing.T) {
	t.Parallel()
	for name, store := range map[string]string{"without a near cache": "", "with a near cache": "near_cache"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := twoProxies(t, "", store)
			bob := login(t, a, "bob")
			bobsLive := []*live{bob.open(a.Addr), bob.open(b.Addr)}
			for way, end := range ends {
				t.Run(way, func(t *testing.T) {
					user := "zoe " + way
					me := login(t, a, user)
					former := login(t, b, user)
					streams := map[string]*live{"first proxy": former.open(a.Addr), "other proxy": former.open(b.Addr)}
					victim := renewed{former: former}
					victim.formerRef, victim.latest = former.ask(b, "X-Session-Control", "regenerate")
					victim.latestRef = victim.latest.ref(b)
					lost := renew(t, b, user, false)
					if victim.latest.ref(a) == "" || lost.former.ref(b) == "" {
						t.Fatal("logged out too early")
					}
					late := victim.latest.open(a.Addr)
					if ref := victim.former.ref(b); ref != "" && store == "" {
						t.Error("the old id is still served")
					}
					for _, l := range streams {
						l.echoes() // a new id does not end them
					}
					byUser := strings.Contains(way, "user") || strings.Contains(way, "other") || strings.Contains(way, "all")
					end(t, a, user, me, victim)
					holders := map[string]holder{"former id": victim.former, "latest id": victim.latest}
					if byUser {
						holders["id that was used"], holders["id that was lost"] = lost.former, lost.latest
					}
					for id, h := range holders {
						if store == "" && h.ref(b) != "" {
							t.Errorf("%s: the other proxy takes it", id)
						}
						for stop := time.Now().Add(patience); h.ref(b) != ""; time.Sleep(10 * time.Millisecond) {
							if time.Now().After(stop) {
								t.Fatalf("%s: the other proxy takes it for ever", id)
							}
						}
						if h.ref(a) != "" {
							t.Errorf("%s: the same proxy takes it", id)
						}
					}
					late.closes("first proxy, the latest id")
					for where, l := range streams {
						l.closes(where)
					}
				})
			}
			for _, l := range bobsLive {
				l.echoes()
			}
			if bob.ref(b) == "" {
				t.Error("another user is logged out")
			}
		})
	}
}

// The two records of a session whose new id was never used end together, by the ref of either.
func TestEndedWithAnIDThatWasLost(t *testing.T) {
	t.Parallel()
	a, b := twoProxies(t, "", "")
	for _, by := range []string{"former", "latest"} {
		lost := renew(t, b, "zoe "+by, false)
		ref := lost.formerRef
		if by == "latest" {
			// Only its holder knows the ref. In a browser of its own, it is not used.
			id, _, _ := strings.Cut(strings.TrimPrefix(lost.latest.cookie, "caddy_session="), ".")
			ref = sessionstore.Ref(id)
		}
		if status, text := api(t, a, http.MethodDelete, "/session/sessions/"+ref, "", nil); status != http.StatusOK {
			t.Errorf("%s: %d, %s", by, status, text)
		}
		if lost.former.ref(b) != "" || lost.latest.ref(b) != "" {
			t.Errorf("ended by the ref of the %s id: former %q, latest %q", by, lost.former.ref(b), lost.latest.ref(b))
		}
	}
}

// A login beyond the limit ends the streams of the session that has to go.
func TestLimitEndsStreams(t *testing.T) {
	t.Parallel()
	a, b := twoProxies(t, "max_user_sessions 1", "")
	first := login(t, b, "zoe")
	streams := map[string]*live{"first proxy": first.open(a.Addr), "other proxy": first.open(b.Addr)}
	login(t, a, "zoe")
	if first.ref(b) != "" {
		t.Error("still logged in")
	}
	for where, l := range streams {
		l.closes(where)
	}
	if n := metrics(t, a)[`caddy_session_ended_total{cause="limit"}`]; n != 1 {
		t.Errorf("%v ended by the limit", n)
	}
}

// TestStreamsOfTheAppAlone does without a proxy what the other tests do behind it.
func TestStreamsOfTheAppAlone(t *testing.T) {
	t.Parallel()
	l := holder{t: t}.open(liveApp(t))
	l.echoes()
}

// TestAbsoluteTimeoutEndsStreams has a timeout that is over while streams are open. It is the only
// end of a session that no other process brings about.
func TestAbsoluteTimeoutEndsStreams(t *testing.T) {
	t.Parallel()
	a, _ := twoProxies(t, "absolute_timeout 10s", "")
	for range 5 {
		_, zoe := holder{t: t}.ask(a, "X-Session-Update", `{"user":"zoe"}`)
		streams := zoe.open(a.Addr)
		if zoe.ref(a) == "" {
			continue // a busy machine took longer than the timeout to open them
		}
		streams.closes("the proxy")
		if zoe.ref(a) != "" {
			t.Error("the session lives on")
		}
		return
	}
	t.Error("the session is over too early")
}
