package docs_test

import (
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/internal/longtest"
	"github.com/caddy-session/caddy-session/test/docs"
	"github.com/caddy-session/caddy-session/test/harness"
)

// TestPostFromAnotherSite posts a form on one site to another, as SAML does, with the Caddyfile of
// docs/faq.md and with the default of same_site.
func TestPostFromAnotherSite(t *testing.T) {
	longtest.Test(t)
	t.Parallel()
	app := harness.Backend(t, func(w http.ResponseWriter, r *http.Request) {
		seen := "no session"
		if cookie, err := r.Cookie("PHPSESSID"); err == nil && cookie.Value == "1" {
			seen = "the session"
		}
		http.SetCookie(w, &http.Cookie{Name: "PHPSESSID", Value: "1", Path: "/", SameSite: http.SameSiteNoneMode, Secure: true})
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, r.Method+": "+seen)
	})
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, `<form method="post" action="`+html.EscapeString(r.URL.Query().Get("to"))+`"><button>Go on</button></form>`)
	}))
	defer other.Close()

	sites := make(map[string]string)
	for _, example := range docs.Examples(t, "caddyfile") {
		before, after, found := strings.Cut(example.Text, "saml.example.org\n")
		if example.Page.Path != "docs/faq.md" || !found || before != "" {
			continue
		}
		text := strings.ReplaceAll(after, "localhost:9000", app)
		for name, text := range map[string]string{"none": text, "lax": strings.ReplaceAll(text, "same_site none", "same_site lax")} {
			c := harness.Start(t, "{\n\tadmin $ADMIN\n\tskip_install_trust\n\tauto_https disable_redirects\n}\nhttps://$ADDR {\n\ttls internal\n"+text+"\n}\n")
			sites[name] = "https://" + c.Addr + "/"
		}
	}
	if len(sites) != 2 {
		t.Fatal("docs/faq.md has no such example")
	}
	u, err := url.Parse(other.URL)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(sites)
	if err != nil {
		t.Fatal(err)
	}
	// By name, it is another site than the one by address.
	harness.Walk(t, "docs/post.mjs", "SITES="+string(text), "OTHER=http://localhost:"+u.Port()+"/")
}
