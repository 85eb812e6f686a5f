package http_test

import (
	"net/http"
	"testing"
	"time"
)

const (
	idle     = 5 * time.Second
	absolute = 2 * time.Second
)

var (
	idleSite = newSite("idle", `
	session {
		store memory
		secret $SECRET
		idle_timeout 5s
		touch_interval 100ms
	}
	reverse_proxy $BACKEND`)
	absoluteSite = newSite("absolute", `
	session {
		store memory
		secret $SECRET
		absolute_timeout 2s
		touch_interval 10ms
	}
	reverse_proxy $BACKEND`)
)

func TestIdleTimeout(t *testing.T) {
	t.Parallel()
	b := idleSite.browser(t)
	b.change("update", `{"a":1}`)
	old := b.cookies()
	time.Sleep(idle + 50*time.Millisecond)
	b.holding(old).look().holds("{}").keeps()
	// An unknown id is not adopted.
	if c := b.holding(old).change("update", `{"b":1}`).issues(); "caddy_session="+c.Value == old {
		t.Error("the id of the expired session is reused")
	}
}

// keepUsing uses the session for this time and fails the test if it expires, unless the machine was
// so slow that it had to.
func keepUsing(t *testing.T, b *browser, d, allowed time.Duration) {
	t.Helper()
	last := time.Now()
	for end := last.Add(d); time.Now().Before(end); time.Sleep(allowed / 10) {
		r := b.look()
		if gap := time.Since(last); !r.info().exists {
			if gap >= allowed/2 {
				t.Skipf("the machine is too slow: %s between two requests", gap)
			}
			t.Fatalf("expired %s after the last request", gap)
		}
		last = time.Now()
	}
}

func TestTouchKeepsAlive(t *testing.T) {
	t.Parallel()
	b := idleSite.browser(t)
	b.change("update", `{"a":1}`)
	keepUsing(t, b, 2*idle, idle)
}

// A running request keeps its session from expiring, without a change.
func TestSlowRequestKeepsAlive(t *testing.T) {
	t.Parallel()
	b := idleSite.browser(t)
	b.change("update", `{"a":1}`)
	slow := b.hold("update", `{"slow":1}`)
	time.Sleep(2 * idle)
	slow.release().keeps().holds(`{"a":1}`)
	b.look().holds(`{"a":1,"slow":1}`)
}

// A WebSocket does not keep its session alive. It ends with it, but not at once.
func TestWebSocketDoesNotKeepAlive(t *testing.T) {
	t.Parallel()
	b := idleSite.browser(t)
	r, s := b.upgrade("update", `{"a":1}`)
	r.want(101).issues()
	time.Sleep(idle + 50*time.Millisecond)
	b.look().holds("{}")
	s.echoes("still here")
}

func TestAbsoluteTimeout(t *testing.T) {
	t.Parallel()
	b := absoluteSite.browser(t)
	before := time.Now()
	if c := b.change("update", `{"a":1}`, "control", "idle-timeout=86400").issues(); c.MaxAge > 2 || c.MaxAge < 1 {
		t.Errorf("Max-Age %d", c.MaxAge)
	}
	after := time.Now()
	b = b.holding(b.cookies()) // a browser would not send it for this long
	i := b.look().info()
	if left := i.expires.Sub(i.created); left > absolute {
		t.Errorf("expires %s after its creation", left)
	}
	slow := b.hold("update", `{"slow":1}`)
	eventually(t, "the session has ended", func() bool { return !b.look().keeps().info().exists })
	if lived := time.Since(before); lived < absolute {
		t.Errorf("lived at most %s", lived)
	}
	if lived := time.Since(after); lived > absolute+10*time.Second {
		t.Errorf("lived at least %s", lived)
	}
	// A running request cannot bring it back.
	slow.release().keeps()
	b.look().holds("{}")
}

// A new id does not restart it.
func TestRegenerateDoesNotProlong(t *testing.T) {
	t.Parallel()
	b := absoluteSite.browser(t)
	b.change("update", `{"a":1}`)
	began := time.Now()
	for time.Since(began) < absolute+100*time.Millisecond {
		// The jar drops the cookie after its Max-Age, so the test sends it itself.
		c := b.holding(b.cookies()).change("control", "regenerate").cookie()
		if c == nil {
			break
		}
		if c.MaxAge > 2 {
			t.Fatalf("Max-Age %d", c.MaxAge)
		}
		b.client.Jar.SetCookies(b.request("GET", "/", nil).URL, []*http.Cookie{{Name: c.Name, Value: c.Value, Path: "/"}})
		time.Sleep(20 * time.Millisecond)
	}
	eventually(t, "the session has ended", func() bool { return !b.holding(b.cookies()).look().info().exists })
	if lived := time.Since(began); lived > absolute+10*time.Second {
		t.Errorf("lived %s", lived)
	}
}

func TestOwnIdleTimeout(t *testing.T) {
	t.Parallel()
	b := plain.browser(t)
	b.change("update", `{"a":1}`, "control", "idle-timeout=1")
	if left := time.Until(b.look().info().expires); left > time.Second {
		t.Errorf("expires in %s", left)
	}
	other := plain.browser(t)
	other.change("update", `{"a":1}`, "control", "idle-timeout=600")
	other.change("control", "idle-timeout=?0").keeps()
	time.Sleep(1100 * time.Millisecond)
	b.look().holds("{}")
	other.look().holds(`{"a":1}`)
	if left := time.Until(other.look().info().expires); left < 23*time.Hour {
		t.Errorf("the default again: expires in %s", left)
	}
}
