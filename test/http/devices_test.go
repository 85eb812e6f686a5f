package http_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

var devicesSite = newSite("devices", `
	session {
		store memory
		secret $SECRET
		user user authenticate
		remember_client on
	}
	session_devices /devices
	handle {
		reverse_proxy $BACKEND
	}`)

// A user sees on a page where else they are logged in, and logs out there by a button of it,
// without scripts.
func TestDevicesPageEndsAnotherSession(t *testing.T) {
	t.Parallel()
	b, other := devicesSite.browser(t), devicesSite.browser(t)
	b.get("/devices").want(http.StatusUnauthorized)
	for _, browser := range []*browser{b.with("User-Agent", "the <first>"), other.with("User-Agent", "the second")} {
		browser.change("update", `{"user":"devices"}`).issues()
	}
	page := b.with("Accept", "text/html").get("/devices").want(http.StatusOK)
	text := string(page.body)
	if !strings.Contains(text, "the second") || !strings.Contains(text, "the &lt;first&gt;") || !strings.Contains(text, "127.0.0.1") {
		t.Errorf("the page: %s", text)
	}
	ref := regexp.MustCompile(`name="end" value="([A-Za-z0-9_-]{43})"`).FindStringSubmatch(text)
	if len(ref) != 2 || ref[1] != other.look().info().ref {
		t.Fatalf("the button for the other session: %v", ref)
	}
	press := func(b *browser, origin string) *reply {
		r := b.request(http.MethodPost, "/devices", strings.NewReader(url.Values{"end": {ref[1]}}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Accept", "text/html")
		r.Header.Set("Origin", origin)
		return b.send(r)
	}
	press(b, "http://evil.example").want(http.StatusForbidden)
	other.look().holds(`{"user":"devices"}`)
	press(b, "http://"+devicesSite.host)
	other.look().holds("{}")
	b.look().holds(`{"user":"devices"}`)
	if json := b.get("/devices").want(http.StatusOK); strings.Count(string(json.body), `"ref"`) != 1 || !strings.Contains(string(json.body), `"current":true`) {
		t.Errorf("as JSON: %s", json.body)
	}
}
