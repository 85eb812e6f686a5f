package http_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/test/harness/faulty"
)

func attributed(options string) string {
	return expand(globals() + `
http://$ADDR {
	session {
		store faulty $DIR/store
		secret $SECRET
		scope attributes
		cookie {
			` + options + `
		}
	}
	reverse_proxy $BACKEND
}
`)
}

// settled waits until the proxy has saved that it set the cookie, which it does after the response,
// and checks that it does not set it again.
func (b *browser) settled() {
	b.t.Helper()
	eventually(b.t, "the cookie is not set again", func() bool { return b.look().cookie() == nil })
	b.look().keeps()
}

func TestReloadThatChangesTheCookieReachesWhoHasOne(t *testing.T) {
	t.Parallel()
	c := start(t, attributed("same_site lax"))
	control := faulty.Control(filepath.Join(c.Dir, "store"))
	if err := os.MkdirAll(string(control), 0o700); err != nil {
		t.Fatal(err)
	}
	reload := func(options string) {
		t.Helper()
		if err := c.Reload(attributed(options)); err != nil {
			t.Fatal(err)
		}
	}
	fresh := func() (b *browser, value string) {
		b = visit(t, c)
		value = b.change("update", `{"a":1}`).issues().Value
		b.look().holds(`{"a":1}`).keeps()
		return b.holding("caddy_session=" + value), value
	}
	looking, value := fresh()
	changing, _ := fresh()
	tabs, _ := fresh()
	refused, _ := fresh()
	old, _ := fresh()
	renamed := old.change("control", "regenerate").issues().Value

	reload("same_site strict\nhttp_only off")
	visit(t, c).look().keeps() // a visitor without a session has no cookie

	// A request without a change.
	r := looking.look().holds(`{"a":1}`)
	if got := r.issues(); got.Value != value || got.SameSite != http.SameSiteStrictMode || got.HttpOnly || got.Path != "/" || got.MaxAge < 744*3600-60 {
		t.Errorf("Set-Cookie %s", got)
	}
	if r.Header.Get("Cache-Control") != "no-store" {
		t.Error("a cache may keep it")
	}
	looking.settled()

	// A request with a change: both are saved at once.
	if got := changing.change("update", `{"b":1}`).issues(); got.SameSite != http.SameSiteStrictMode {
		t.Errorf("Set-Cookie %s", got)
	}
	changing.look().holds(`{"a":1,"b":1}`).keeps()

	// Parallel requests.
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() {
			if i%2 == 0 {
				tabs.look()
			} else {
				tabs.change("update", fmt.Sprintf(`{"t%d":1}`, i))
			}
		})
	}
	wg.Wait()
	tabs.settled()
	data := tabs.look().given("X-Session-Data")
	for _, field := range []string{`"a":1`, `"t1":1`, `"t3":1`, `"t5":1`, `"t7":1`, `"t9":1`} {
		if !strings.Contains(data, field) {
			t.Errorf("%s is lost: %s", field, data)
		}
	}

	// An id with a successor gets no cookie; the successor does.
	old.look().holds(`{"a":1}`).keeps()
	old.holding("caddy_session=" + renamed).look().issues()

	// If the store fails to save it, the request succeeds and the next one tries again.
	tell(t, control, faulty.Set, faulty.Fail)
	refused.look().holds(`{"a":1}`).issues()
	refused.look().holds(`{"a":1}`).issues()
	// Wait until both saves have failed: they come after the responses.
	for end := time.Now().Add(5 * time.Second); strings.Count(c.Log(), "session not touched") < 2; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the failures are not logged")
		}
	}
	tell(t, control, faulty.Set, "")
	refused.look().issues()
	refused.settled()

	// The cookie for a domain is a second one; both lead to the session.
	reload("domain attributes.test")
	lines := looking.look().holds(`{"a":1}`).Header["Set-Cookie"]
	if len(lines) != 1 || !strings.Contains(lines[0], "; Domain=attributes.test; ") || !strings.HasSuffix(lines[0], "; HttpOnly; SameSite=Lax") {
		t.Errorf("Set-Cookie %q", lines)
	}
	looking.settled()

	// An option that is not an attribute changes nothing.
	reload("domain attributes.test\npermanent off")
	looking.look().keeps()
}
