package operate

import (
	"encoding/json"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/caddymodule/admin"
	"github.com/caddy-session/caddy-session/test/harness"
)

// remembered waits until only the lasting cookies of all sessions are left, and returns them.
func remembered(t *testing.T, c *harness.Caddy, n int) (all []admin.Session) {
	t.Helper()
	for begin := time.Now(); time.Since(begin) < time.Minute; time.Sleep(100 * time.Millisecond) {
		all = listAll(t, c, "", 100)
		idle := 0
		for _, s := range all {
			if s.OnlyCookies {
				idle++
			}
		}
		if len(all) == n && idle == n {
			return all
		}
	}
	t.Fatalf("%d sessions are listed, want %d that are idle: %+v", len(all), n, all)
	return nil
}

// TestRememberedUsersStay has users who come back after the idle timeout, by the "remember me"
// cookie in the vault. Whatever the operator does meanwhile, the browser's session is there.
func TestRememberedUsersStay(t *testing.T) {
	t.Parallel()
	const options = "\nvault *\nidle_timeout 1s\nsecret 0123456789abcdef\n"
	backend := site(t, "STORE"+options)
	config := func(store string) string { return strings.Replace(backend, "STORE", "store "+store, 1) }
	c, other := harness.Start(t, config("bolt")), harness.Start(t, config("memory"))
	arrive := func() *visitor {
		v := visit(t, c.URL)
		v.login("zoe")
		v.ask("Set-Cookie", "remember=zoe; Max-Age=2592000; Path=/; HttpOnly")
		return v
	}
	comesBack := func(v *visitor) {
		t.Helper()
		if got := v.ask(); !strings.Contains(got["Cookie"], "remember=zoe") {
			t.Errorf("the app gets %v", got)
		}
	}
	zoe := arrive()
	ref := zoe.ref()
	all := remembered(t, c, 1)
	if s := all[0]; s.Ref != ref || s.User != "" || time.Until(s.Expires) < 29*24*time.Hour {
		t.Errorf("%+v", s)
	}
	says(t, c, []string{"count"}, "1\n")
	var shown admin.Session
	api(t, c, http.MethodGet, "/session/sessions/"+ref+"?data=true", "", &shown)
	if !shown.OnlyCookies || string(shown.Data) != "{}" {
		t.Errorf("%+v", shown)
	}
	ask, err := json.Marshal(map[string]string{"url": c.URL + "/", "cookie": zoe.cookies()})
	if err != nil {
		t.Fatal(err)
	}
	if status, text := api(t, c, http.MethodPost, "/session/explain", string(ask), nil); status != http.StatusOK ||
		!strings.Contains(text, "session_outcome is hit") || !strings.Contains(text, "only the lasting cookies") || strings.Contains(text, `"wrong"`) {
		t.Errorf("%d: %s", status, text)
	}

	file := filepath.Join(t.TempDir(), "sessions")
	says(t, c, []string{"export", file})
	says(t, other, []string{"import", file}, "1 saved, 0 there already, 0 left out")
	zoe.base = other.URL
	comesBack(zoe)

	// The move, as the documentation says. Nobody comes meanwhile.
	zoe.base = c.URL
	for _, step := range []string{"moving {\nfrom bolt\nto file\nhold\n}", "moving {\nfrom bolt\nto file\n}"} {
		reload(t, c, config(step))
	}
	says(t, c, []string{"count", "--store", "bolt"}, "1\n")
	for _, s := range listAll(t, c, "bolt", 100) {
		says(t, c, []string{"show", "--store", "moving", s.Ref}, s.Ref)
	}
	says(t, c, []string{"count", "--store", "bolt"}, "0\n")
	reload(t, c, config("file"))
	comesBack(zoe)

	// Ending ends it, and says so.
	if s := remembered(t, c, 1)[0]; s.Ref != ref {
		t.Errorf("%+v", s)
	}
	says(t, c, []string{"end", ref}, "1\n")
	if got := zoe.ask(); strings.Contains(got["Cookie"], "remember") {
		t.Errorf("the app gets %v", got)
	}
	another := arrive()
	remembered(t, c, 1)
	says(t, c, []string{"end", "--all"}, "1\n")
	if got := another.ask(); strings.Contains(got["Cookie"], "remember") {
		t.Errorf("the app gets %v", got)
	}
}

// cookies returns the Cookie header of the browser.
func (v *visitor) cookies() string {
	at, err := url.Parse(v.base)
	if err != nil {
		v.t.Fatal(err)
	}
	var all []string
	for _, cookie := range v.client.Jar.Cookies(at) {
		all = append(all, cookie.Name+"="+cookie.Value)
	}
	return strings.Join(all, "; ")
}
