package http_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/test/harness/faulty"
)

// faultySite adds a site with a store that the folder of the site's name controls.
func faultySite(name, options string) *site {
	return newSite(name, fmt.Sprintf(`
	session {
		store faulty $DIR/%s
		%s
	}
	reverse_proxy $BACKEND
	handle_errors {
		respond "{err.status_code} {http.session.error}"
	}`, name, options))
}

// control returns the control of a faultySite's store.
func (s *site) control(t *testing.T) faulty.Control {
	t.Helper()
	dir := filepath.Join(caddy().Dir, strings.TrimSuffix(s.host, ".test"))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return faulty.Control(dir)
}

func tell(t *testing.T, c faulty.Control, op, order string) {
	t.Helper()
	if err := c.Tell(op, order); err != nil {
		t.Fatal(err)
	}
}

var (
	failing    = faultySite("failing", "secret $SECRET")
	unsaving   = faultySite("unsaving", "secret $SECRET")
	hanging    = faultySite("hanging", "secret $SECRET\n store_timeout 150ms")
	unloading  = faultySite("unloading", "secret $SECRET\n on_store_error anonymous")
	damaged    = faultySite("damaged", "secret $SECRET")
	damagedAn  = faultySite("damagedan", "secret $SECRET\n on_store_error anonymous")
	untouching = faultySite("untouching", "secret $SECRET\n touch_interval 1ms")
	counting   = faultySite("counting", "secret $SECRET")
)

func TestStoreOutOfReach(t *testing.T) {
	t.Parallel()
	control, b := failing.control(t), failing.browser(t)
	b.change("update", `{"a":1}`)
	for _, op := range []string{faulty.Get, faulty.Set, faulty.Delete, faulty.Touch} {
		tell(t, control, op, faulty.Fail)
	}
	var asked atomic.Int32
	r := b.via(func(http.ResponseWriter, *http.Request) { asked.Add(1) }).get("/").want(http.StatusServiceUnavailable).keeps()
	if asked.Load() != 0 {
		t.Error("the backend was called")
	}
	if r.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	if !strings.HasPrefix(string(r.body), "503 session store unavailable") {
		t.Errorf("error page: %s", r.body)
	}
	// Without a cookie, or with one that does not verify, the store is not asked.
	b.bare().look().holds("{}").keeps()
	b.holding("caddy_session=" + strings.Repeat("x", 43) + "." + strings.Repeat("y", 43)).look().holds("{}").keeps()
	// A new session cannot be saved: the commit is refused, after the backend was called.
	r = b.bare().ask("update", `{"a":1}`, "Etag", `"x"`).want(http.StatusServiceUnavailable).keeps().hides()
	if r.Header["Retry-After"] != nil || r.Header["Etag"] != nil {
		t.Errorf("refused: %v", r.Header)
	}
	// An invalid change is the backend's error nevertheless.
	b.bare().ask("update", `{`).want(http.StatusBadGateway).keeps()

	for _, op := range []string{faulty.Get, faulty.Set, faulty.Delete, faulty.Touch} {
		tell(t, control, op, "")
	}
	b.look().holds(`{"a":1}`).keeps()
}

func TestStoreDoesNotSave(t *testing.T) {
	t.Parallel()
	control, b := unsaving.control(t), unsaving.browser(t)
	b.change("update", `{"a":1}`)
	tell(t, control, faulty.Set, faulty.Fail)
	tell(t, control, faulty.Delete, faulty.Fail)
	b.look().holds(`{"a":1}`).keeps()
	for _, pairs := range [][]string{
		{"update", `{"a":2}`}, {"flash", `"x"`}, {"control", "regenerate"}, {"control", "destroy"}, {"control", "permanent=?0"},
		{"control", "destroy", "flash", `"x"`}, {"control", "idle-timeout=5"}, {"update", `{"a":null}`},
	} {
		r := b.ask(append(pairs, "Etag", `"x"`)...).want(http.StatusServiceUnavailable).keeps().hides()
		if r.Header["Retry-After"] != nil || r.Header["Etag"] != nil {
			t.Errorf("%v: %v", pairs, r.Header)
		}
	}
	b.change("update", `{"a":1}`).keeps() // nothing to save
	tell(t, control, faulty.Set, "")
	tell(t, control, faulty.Delete, "")
	b.look().holds(`{"a":1}`).flashes("")
}

func TestStoreHangs(t *testing.T) {
	t.Parallel()
	control, b := hanging.control(t), hanging.browser(t)
	b.change("update", `{"a":1}`)
	for _, op := range []string{faulty.Get, faulty.Set} {
		tell(t, control, op, faulty.Hang)
		began := time.Now()
		b.ask("update", `{"a":2}`).want(http.StatusServiceUnavailable).keeps()
		if took := time.Since(began); took < 140*time.Millisecond || took > 5*time.Second {
			t.Errorf("%s: the response took %s", op, took)
		}
		tell(t, control, op, "")
	}
	b.look().holds(`{"a":1}`)
}

func TestStoreOutOfReachAnonymous(t *testing.T) {
	t.Parallel()
	control, b := unloading.control(t), unloading.browser(t)
	b.change("update", `{"a":1}`, "flash", `"x"`)
	tell(t, control, faulty.Get, faulty.Fail)
	r := b.look().holds("{}").flashes("").keeps()
	if got := r.given("X-Session-Info"); got != "exists=?0, unavailable" {
		t.Errorf("X-Session-Info: %q", got)
	}
	if r.Header["Retry-After"] != nil {
		t.Error("Retry-After although the backend was called")
	}
	for _, pairs := range [][]string{
		{"update", `{"a":2}`}, {"flash", `"x"`}, {"control", "regenerate"}, {"control", "destroy"}, {"control", "flash-seen"}, {"control", "permanent"},
	} {
		if r := b.ask(pairs...).want(http.StatusServiceUnavailable).keeps().hides(); r.Header["Retry-After"] != nil {
			t.Errorf("%v: Retry-After", pairs)
		}
	}
	// A visitor without a cookie is known to be anonymous and can begin a session.
	if got := b.bare().look().given("X-Session-Info"); got != "exists=?0" {
		t.Errorf("without a cookie: %q", got)
	}
	b.bare().change("update", `{"a":1}`).issues()
	tell(t, control, faulty.Get, "")
	b.look().holds(`{"a":1}`).flashes(`[["message","x"]]`)
}

var (
	rotatedOut = faultySite("rotatedout", "secret $OLDSECRET\n scope rotated")
	rotatedIn  = newSite("rotatedin", `
	session {
		store faulty $DIR/rotatedout
		secret $SECRET $OLDSECRET
		scope rotated
		on_store_error anonymous
	}
	reverse_proxy $BACKEND`)
)

// During an outage the cookie stays as it is, even if a former key signed it. (A new cookie without
// the record would not be permanent.)
func TestStoreOutOfReachLeavesAStaleCookie(t *testing.T) {
	t.Parallel()
	control, b := rotatedOut.control(t), rotatedOut.browser(t)
	b.change("update", `{"a":1}`)
	after := b.holding(b.cookies()).at("http://" + rotatedIn.host)
	tell(t, control, faulty.Get, faulty.Fail)
	after.look().holds("{}").keeps()
	tell(t, control, faulty.Get, "")
	if c := after.look().holds(`{"a":1}`).issues(); c.MaxAge == 0 {
		t.Error("the new cookie is not permanent")
	}
}

// An unreadable record is an error, is logged with its ref, and is not overwritten.
func TestDamagedRecord(t *testing.T) {
	t.Parallel()
	control, b := damaged.control(t), damaged.browser(t)
	b.change("update", `{"a":1}`)
	ref := b.look().info().ref
	tell(t, control, faulty.Get, faulty.Damaged)
	r := b.ask("update", `{"a":2}`).want(http.StatusServiceUnavailable).keeps()
	if !strings.Contains(string(r.body), "the stored record cannot be read") {
		t.Errorf("error page: %s", r.body)
	}
	awaitLog(t, "the error with its ref", ref)
	tell(t, control, faulty.Get, "")
	b.look().holds(`{"a":1}`)

	control, b = damagedAn.control(t), damagedAn.browser(t)
	b.change("update", `{"a":1}`)
	tell(t, control, faulty.Get, faulty.Damaged)
	if got := b.look().keeps().given("X-Session-Info"); got != "exists=?0, unavailable" {
		t.Errorf("X-Session-Info: %q", got)
	}
	b.ask("control", "destroy").want(http.StatusServiceUnavailable).keeps()
	tell(t, control, faulty.Get, "")
	b.look().holds(`{"a":1}`)
}

func TestFailedTouchIsOnlyLogged(t *testing.T) {
	t.Parallel()
	control, b := untouching.control(t), untouching.browser(t)
	b.change("update", `{"a":1}`)
	ref := b.look().info().ref
	tell(t, control, faulty.Touch, faulty.Fail)
	eventually(t, "a failed touch is logged", func() bool {
		b.look().holds(`{"a":1}`).keeps()
		return strings.Contains(caddy().Log(), `"session not touched","ref":"`+ref)
	})
	tell(t, control, faulty.Touch, "")
}

func TestReadsOfTheStore(t *testing.T) {
	t.Parallel()
	control, b := counting.control(t), counting.browser(t)
	calls := func(f func()) []string {
		before := len(control.Calls())
		f()
		return control.Calls()[before:]
	}
	want := func(what string, got []string, want ...string) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("%s: the store was asked %q, want %q", what, got, want)
		}
	}
	want("anonymous", calls(func() { b.look() }))
	want("a change to no session", calls(func() { b.change("update", `{"a":1}`).issues() }), "set")
	want("a read", calls(func() { b.look() }), "get")
	want("a change", calls(func() { b.change("update", `{"a":2}`) }), "get", "set")
	want("an unchanged result", calls(func() { b.change("update", `{"a":2}`) }), "get", "get") // has it changed meanwhile?
	want("an invalid change", calls(func() { b.ask("update", `{`) }), "get")

	// At most sixteen valid cookies are looked up.
	var gone []string
	for range 17 {
		g := counting.browser(t)
		g.change("update", `{"a":1}`)
		gone = append(gone, g.cookies())
		g.change("control", "destroy")
	}
	forged := strings.Repeat("caddy_session="+strings.Repeat("A", 43)+"."+strings.Repeat("A", 43)+"; ", 20)
	ours := b.cookies()
	for n, found := range map[int]bool{1: true, 2: true, 15: true, 16: false, 17: false} {
		var got *reply
		reads := calls(func() { got = b.holding(forged + strings.Join(gone[:n], "; ") + "; " + ours).look() })
		want(fmt.Sprint(n, " others before"), reads, slices.Repeat([]string{"get"}, min(n+1, 16))...)
		if got.info().exists != found {
			t.Errorf("%d others before: found %t", n, !found)
		}
	}
}

// The generated key is in Caddy's storage. If it cannot be used, no other is made.
func TestDamagedKeyIsKept(t *testing.T) {
	t.Parallel()
	c := start(t, `
http://$ADDR {
	session {
		store memory
	}
	reverse_proxy $BACKEND
}`)
	key := keyFile(filepath.Join(c.Dir, "data", "caddy"))
	if err := os.MkdirAll(filepath.Dir(key), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(key, []byte("short\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := visit(t, c)
	b.look().holds("{}") // no request needs the key yet
	b.ask("update", `{"a":1}`).want(http.StatusServiceUnavailable).keeps()
	b.holding("caddy_session=x.y").get("/").want(http.StatusServiceUnavailable).keeps()
	if text, err := os.ReadFile(key); err != nil || string(text) != "short\n" {
		t.Errorf("the key was changed: %v", err)
	}
	if strings.Contains(c.Log(), "short\\n") {
		t.Error("the key is in the log")
	}
	if err := os.WriteFile(key, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b.change("update", `{"a":1}`).issues()
}
