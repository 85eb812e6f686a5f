package php_test

import (
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/test/harness"
)

// begins asks for a page that waits in its midst, and returns when it is there. end lets it go on,
// and returns what it has printed. Both are said by a visitor who has no session.
func (v visitor) begins(c *harness.Caddy, step string) (end func() string) {
	v.t.Helper()
	other := visit(v.t, c)
	var body string
	var page sync.WaitGroup
	page.Go(func() { _, body, _ = v.does(step) })
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if _, begun, _ := other.does("begun"); begun == "yes" {
			break
		}
		if time.Now().After(end) {
			v.t.Fatalf("the page does not begin: %s", step)
		}
	}
	return func() string {
		other.does("got it")
		page.Wait()
		return body
	}
}

// What a script saves before its end is seen by other pages when its headers leave, and what they
// save is not seen by it. With late, what it saves after its headers is kept, so many times.
func TestPageThatShowsItsProgress(t *testing.T) {
	t.Parallel()
	plain, _ := serve(t)
	prepended, log := serve(t, prepend())
	alone, behind, late := site(t, "", plain), site(t, session, prepended), site(t, lateSession, prepended)
	for _, tt := range []struct {
		name                  string
		c                     *harness.Caddy
		step                  string
		others, itself, after string
	}{
		{"alone", alone, "progress&steps=3", "step 0", "cancel: yes", `"step";i:3`},
		{"behind", behind, "progress&steps=3", "step none", "cancel: no", `"step";i:3`},
		{"alone, after the headers", alone, "progress&flush=1&steps=17", "step 0", "pagecancel: yes", `"step";i:17`},
		{"behind, late", late, "progress&flush=1&steps=16", "step 0", "pagecancel: no", `"step";i:16`},
		{"behind, late, too often", late, "progress&flush=1&steps=17", "step 0", "pagecancel: no", `"step";i:16`},
	} {
		_ = os.Truncate(log, 0)
		v := visit(t, tt.c)
		v.does("nested")
		end := v.begins(tt.c, tt.step)
		if _, body, _ := v.does("cancel"); body != tt.others {
			t.Errorf("%s: others see %q", tt.name, body)
		}
		if body := end(); body != tt.itself {
			t.Errorf("%s: the page sees %q", tt.name, body)
		}
		if _, body, _ := v.does("show"); !strings.Contains(body, tt.after) || !strings.Contains(body, `"cancel";s:3:"yes"`) {
			t.Errorf("%s: the session is %s", tt.name, body)
		}
		text, _ := os.ReadFile(log)
		if lost := strings.Contains(string(text), "is lost: the proxy says 429"); lost != strings.Contains(tt.name, "too often") {
			t.Errorf("%s: the log says:\n%s", tt.name, text)
		}
	}
}

// A logout by session_destroy() holds, whatever a slower page saves. One that only removes the user
// leaves what the slower page has changed of him, unless requests come one after the other.
func TestLogoutWhileAPageIsUnderWay(t *testing.T) {
	t.Parallel()
	plain, _ := serve(t)
	prepended, _ := serve(t, prepend())
	serialized := site(t, strings.Replace(session, "store memory", "store memory\n serialize_requests on", 1), prepended)
	alone, behind := site(t, "", plain), site(t, session, prepended)
	for _, tt := range []struct {
		name    string
		c       *harness.Caddy
		waits   bool
		logout  string
		remains bool
	}{
		{"alone", alone, true, "forget the user", false},
		{"behind", behind, false, "forget the user", true},
		{"behind, destroyed", behind, false, "destroy", false},
		{"one after the other", serialized, true, "forget the user", false},
		{"one after the other, destroyed", serialized, true, "destroy", false},
	} {
		v := visit(t, tt.c)
		v.does("log in")
		end := v.begins(tt.c, "seen")
		var logout sync.WaitGroup
		logout.Go(func() { v.does(tt.logout) })
		if !tt.waits {
			logout.Wait()
		}
		end()
		logout.Wait()
		_, body, _ := v.does("show")
		if remains := strings.Contains(body, `s:4:"user";a:1:{s:4:"seen";i:1;}`); remains != tt.remains || strings.Contains(body, "zoe") {
			t.Errorf("%s: the session is %s", tt.name, body)
		}
	}
}
