package browser_test

import (
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/test/harness"
)

// TestPage walks through the page for operators, on a site with the sessions of several users.
func TestPage(t *testing.T) {
	hash, err := exec.Command(harness.Binary(t), "hash-password", "--bcrypt-cost", "4", "--plaintext", "pass").Output()
	if err != nil {
		t.Fatal(err)
	}
	c := harness.Start(t, `
http://$ADDR {
	session {
		user user
		remember_client on
		store_timeout 30s
	}
	basic_auth /sessions {
		operator `+strings.TrimSpace(string(hash))+`
	}
	session_admin /sessions
	reverse_proxy `+harness.Backend(t, harness.Echo)+`
}
`)
	for _, user := range []string{"ada", "grace", "zoe", "zoe", strings.Repeat("W", 256), `<b>"bold"</b>`, "صفية", ""} {
		resp, err := harness.Client(t).Get(c.URL + "/?X-Session-Update=" + url.QueryEscape(`{"user":`+quote(user)+`,"a":1}`))
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatal(resp, err)
		}
		_ = resp.Body.Close()
	}
	harness.Walk(t, "browser/page.mjs", "URL="+c.URL)
}

func quote(text string) string { return `"` + strings.ReplaceAll(text, `"`, `\"`) + `"` }
