package php_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
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
	c := harness.Start(t, planting(strings.Replace(session, "60000", "65400", 1), backend, addr))
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

// A script that is not given its session, as that is too long for the server, cannot change it.
func TestSessionBeyondMaxHeaders(t *testing.T) {
	t.Parallel()
	addr, log := serve(t, prepend())
	limited := strings.Replace(session, "max_size", "max_headers 4000\n max_size", 1)
	c := harness.Start(t, caddyfile(limited, addr))
	v := visit(t, c)
	v.does("large&of=x&size=8000")
	for _, step := range []string{"show", "nested", "regenerate"} {
		if status, body, _ := v.does(step); status != http.StatusOK || step == "show" && !strings.HasPrefix(body, "a:0:{}") {
			t.Errorf("%s: %d, %s", step, status, body)
		}
	}
	if text, _ := os.ReadFile(log); !strings.Contains(string(text), "a change of the session is lost: it is too large for the app; raise max_headers") {
		t.Errorf("the log says:\n%s", text)
	}
	if err := c.Reload(caddyfile(session, addr)); err != nil {
		t.Fatal(err)
	}
	if _, body, _ := v.does("show"); !strings.Contains(body, strings.Repeat("x", 8000)) || strings.Contains(body, "deep") {
		t.Errorf("the session is %.300s", body)
	}
}

// A client that sends the header of late changes does not learn what a script has changed: PHP
// sends nothing to the client's URL, whether there is the option late or not.
func TestAttackURLOfAClientForLateChanges(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	thief := harness.Backend(t, func(http.ResponseWriter, *http.Request) { asked.Add(1) })
	addr, _ := serve(t, prepend())
	for name, options := range map[string]string{"without late": session, "with late": lateSession} {
		c := site(t, options, addr)
		v := visit(t, c)
		for _, header := range []string{"X-Session-Late", "X_Session_Late", "x-session_late", "X.Session.Late", "X Session Late"} {
			conn, err := net.Dial("tcp", c.Addr)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = fmt.Fprintf(conn, "GET /?do=late HTTP/1.1\r\nHost: %s\r\n%s: http://%s/x\r\nConnection: close\r\n\r\n", c.Addr, header, thief)
			_, _ = io.Copy(io.Discard, conn)
			_ = conn.Close()
		}
		if status, body, _ := v.does("late"); status != http.StatusOK {
			t.Errorf("%s: %d, %s", name, status, body)
		}
	}
	if n := asked.Load(); n > 0 {
		t.Errorf("PHP has sent %d changes to the client's URL", n)
	}
}

// A script that makes its session too large gets no page, and the session stays as it was.
func TestAttackSessionGrowsTooLarge(t *testing.T) {
	t.Parallel()
	addr, _ := serve(t, prepend())
	v := visit(t, site(t, session, addr))
	v.does("nested")
	_, want, _ := v.does("show")
	for _, size := range []int{60000, 200000, 5000000} {
		if status, body, _ := v.does(fmt.Sprintf("large&of=x&size=%d", size)); status != http.StatusBadGateway || strings.Contains(body, "page") {
			t.Errorf("%d bytes: %d, %.300s", size, status, body)
		}
		if _, got, _ := v.does("show"); got != want {
			t.Errorf("%d bytes: the session is %.300s, want %s", size, got, want)
		}
	}
}
