package php_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/test/harness"
)

// A client that sends the proxy's own headers, in every spelling that PHP takes for them, has the
// session of its cookie.
func TestAttackHeaderOfAClient(t *testing.T) {
	t.Parallel()
	addr, _ := serve(t, prepend())
	c := site(t, session, addr)
	v := visit(t, c)
	v.does("nested")
	_, want, _ := v.does("show")
	for _, header := range []string{"X-Session-Data", "X_Session_Data", "x-session_data", "X.Session.Data", "X-Session-Info", "X_Session_Info"} {
		r, err := http.NewRequest(http.MethodGet, c.URL+"/?do=show", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header[header] = []string{`{"user":"root"}`}
		if strings.Contains(strings.ToLower(header), "info") {
			r.Header[header] = []string{"too-large"}
		}
		resp, err := v.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if string(body) != want {
			t.Errorf("%s: %s, want %s", header, body, want)
		}
	}
}

// A site without the file that shares the pool of one with it, whose settings stay in the worker,
// keeps PHP's own sessions, and neither site has those of the other.
func TestAttackAnotherSitesPool(t *testing.T) {
	t.Parallel()
	fpm := harness.StartFPM(t, "pm.max_children = 1", "php_value[session.use_strict_mode] = 1")
	with := visit(t, site(t, session, fmt.Sprintf("%s {\nenv PHP_VALUE \"%s\"\nenv CADDY_SESSION_KEY \"%s\"\n}", fpm.Addr, prepend(), key)))
	without := visit(t, site(t, "", fpm.Addr))
	for range 2 {
		with.does("objects")
		without.does("nested&value=z")
		if _, body, _ := without.does("show"); strings.Contains(body, "Cart") || !strings.Contains(body, `"z"`) {
			t.Errorf("without the file, the session is %s", body)
		}
		if _, body, _ := with.does("show"); !strings.Contains(body, `O:4:"Cart"`) || strings.Contains(body, `"z"`) {
			t.Errorf("with the file, the session is %s", body)
		}
		if _, body, _ := without.does("dump"); strings.Contains(body, key) || strings.Contains(body, "HTTP_X_SESSION") {
			t.Error("a page of the other site shows the key or the session")
		}
	}
	if text, _ := os.ReadFile(fpm.Log); strings.Contains(string(text), "caddy-session:") {
		t.Errorf("the log says:\n%s", text)
	}
}

// An object that the pool of another site has signed with its key is data here.
func TestAttackMarkerOfAnotherSitesKey(t *testing.T) {
	t.Parallel()
	addr, _ := serve(t, prepend())
	var planted string
	backend := harness.Backend(t, func(w http.ResponseWriter, r *http.Request) {
		if planted != "" {
			w.Header().Set("X-Session-Update", planted)
		}
		_, _ = io.WriteString(w, r.Header.Get("X-Session-Data"))
	})
	body := func(v visitor) string {
		resp, err := v.client.Get(v.base + "/plant")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		return string(text)
	}
	other := visit(t, harness.Start(t, planting(session, backend, addr+" {\nenv CADDY_SESSION_KEY \"the key of another site\"\n}")))
	other.does("objects")
	marked := body(other)
	if !strings.Contains(marked, `" p":`) {
		t.Fatalf("the other site has signed nothing: %s", marked)
	}
	here := visit(t, harness.Start(t, planting(session, backend, addr)))
	planted = marked
	body(here)
	if _, got, _ := here.does("show"); !strings.Contains(got, `s:2:" p"`) || strings.Contains(got, "O:") {
		t.Errorf("the session is %s", got)
	}
}

// A session as large as FastCGI carries it arrives whole.
func TestSessionAsLargeAsFastCGICarries(t *testing.T) {
	t.Parallel()
	addr, log := serve(t, prepend())
	const size = 65000
	backend := harness.Backend(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Session-Update", `{"large":"`+strings.Repeat("x", size)+`"}`)
	})
	c := harness.Start(t, planting("session {\n store memory\n max_size 65400\n }", backend, addr))
	v := visit(t, c)
	resp, err := v.client.Get(c.URL + "/plant")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	for range 2 {
		if status, body, _ := v.does("show"); status != http.StatusOK || !strings.Contains(body, fmt.Sprintf(`s:%d:"`, size)) {
			t.Errorf("%d, %.200s", status, body)
		}
	}
	if text, _ := os.ReadFile(log); len(text) > 0 {
		t.Errorf("the log says:\n%s", text)
	}
}
