package devices_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	_ "github.com/caddyserver/caddy/v2/modules/filestorage"

	"github.com/caddy-session/caddy-session/caddymodule"
	"github.com/caddy-session/caddy-session/caddymodule/devices"
	"github.com/caddy-session/caddy-session/sessionstore"
)

type handlerFunc func(http.ResponseWriter, *http.Request) error

func (f handlerFunc) ServeHTTP(w http.ResponseWriter, r *http.Request) error { return f(w, r) }

// site is a session handler with session_devices behind it.
type site struct {
	*testing.T
	session *caddymodule.Handler
	devices *devices.Devices
}

func newSite(t *testing.T, options string) *site {
	t.Helper()
	h := new(caddymodule.Handler)
	text := "session {\nsecret " + strings.Repeat("k", 32) + "\n" + options + "\n}"
	if err := h.UnmarshalCaddyfile(caddyfile.NewTestDispenser(text)); err != nil {
		t.Fatal(err)
	}
	ctx, err := caddy.ProvisionContext(new(caddy.Config))
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Cleanup() })
	return &site{t, h, new(devices.Devices)}
}

func (s *site) serve(r *http.Request, next caddyhttp.Handler) (*httptest.ResponseRecorder, int) {
	w := httptest.NewRecorder()
	r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, new(caddyhttp.Server))
	caddyhttp.SetVar(r.Context(), caddyhttp.ClientIPVarKey, "192.0.2.7")
	if err := s.session.ServeHTTP(w, r, next); err != nil {
		handled, ok := err.(caddyhttp.HandlerError)
		if !ok {
			s.Fatal(err)
		}
		return w, handled.StatusCode
	}
	return w, w.Code
}

// login begins a session and returns its cookie.
func (s *site) login(update, agent string) *http.Cookie {
	s.Helper()
	r := httptest.NewRequest(http.MethodPost, "/login", nil)
	r.Header.Set("User-Agent", agent)
	w, _ := s.serve(r, handlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("X-Session-Update", update)
		return nil
	}))
	if len(w.Result().Cookies()) != 1 {
		s.Fatal("no cookie")
	}
	return w.Result().Cookies()[0]
}

// ask sends a request to session_devices. A form makes it a POST.
func (s *site) ask(c *http.Cookie, form url.Values, headers ...string) (*httptest.ResponseRecorder, int) {
	r := httptest.NewRequest(http.MethodGet, "http://example.com/a/devices", nil)
	if form != nil {
		r = httptest.NewRequest(http.MethodPost, "http://example.com/a/devices", strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if c != nil {
		r.AddCookie(c)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return s.serve(r, handlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		return s.devices.ServeHTTP(w, r, nil)
	}))
}

type list struct {
	User     string
	Sessions []struct {
		Ref         string
		Current     bool
		First, Last struct {
			Address   string
			UserAgent string `json:"user_agent"`
		}
	}
}

func (s *site) list(c *http.Cookie) (l list) {
	s.Helper()
	w, status := s.ask(c, nil)
	if status != http.StatusOK || w.Header().Get("Cache-Control") != "no-store" {
		s.Errorf("status %d, headers %v", status, w.Header())
	}
	if err := json.Unmarshal(w.Body.Bytes(), &l); err != nil {
		s.Errorf("%s: %v", w.Body, err)
	}
	return l
}

func ref(c *http.Cookie) string {
	id, _, _ := strings.Cut(c.Value, ".")
	return sessionstore.Ref(id)
}

func end(what string) url.Values { return url.Values{"end": {what}} }

func TestDevices(t *testing.T) {
	s := newSite(t, "user user\nremember_client on\nstore memory devices")
	own, other, third := s.login(`{"user":"zoe"}`, "Firefox"), s.login(`{"user":"zoe"}`, "curl"), s.login(`{"user":"zoe"}`, "x")
	bob := s.login(`{"user":"bob"}`, "x")
	l := s.list(own)
	if l.User != "zoe" || len(l.Sessions) != 3 {
		t.Fatalf("%+v", l)
	}
	for _, d := range l.Sessions {
		if d.Current != (d.Ref == ref(own)) {
			t.Errorf("%+v", d)
		}
		if d.Current && (d.First.UserAgent != "Firefox" || d.Last.UserAgent != "Firefox" || d.Last.Address != "192.0.2.7") {
			t.Errorf("the client is %+v", d)
		}
	}
	if _, status := s.ask(own, end(ref(other))); status != http.StatusOK {
		t.Errorf("ending one: status %d", status)
	}
	if _, status := s.ask(other, nil); status != http.StatusUnauthorized {
		t.Errorf("an ended session: status %d", status)
	}
	// Nobody ends somebody else's session, or one that is not there.
	for _, what := range []string{ref(bob), ref(other), "nonsense"} {
		if _, status := s.ask(own, end(what)); status != http.StatusNotFound {
			t.Errorf("ending %s: status %d", what, status)
		}
	}
	if _, status := s.ask(own, end("others")); status != http.StatusOK {
		t.Errorf("ending others: status %d", status)
	}
	if _, status := s.ask(third, nil); status != http.StatusUnauthorized {
		t.Errorf("another session: status %d", status)
	}
	if l := s.list(own); len(l.Sessions) != 1 {
		t.Errorf("%+v", l)
	}
	if l := s.list(bob); len(l.Sessions) != 1 || l.User != "bob" {
		t.Errorf("%+v", l)
	}
}

// The page is plain HTML, and what a client says of itself is text on it.
func TestDevicesPage(t *testing.T) {
	s := newSite(t, "user user\nremember_client on\nstore memory page")
	own, other := s.login(`{"user":"<b>zoe"}`, "Firefox"), s.login(`{"user":"<b>zoe"}`, `"><script>alert(1)</script>`)
	w, status := s.ask(own, nil, "Accept", "text/html,*/*;q=0.8")
	body := w.Body.String()
	if status != http.StatusOK || strings.Contains(body, "<script") || strings.Contains(body, "<b>") || !strings.Contains(body, ref(other)) ||
		strings.Contains(body, ref(own)) || strings.Count(body, "<form") != 2 || !strings.Contains(body, "&lt;script&gt;") {
		t.Errorf("status %d: %s", status, body)
	}
	for name, want := range map[string]string{
		"Content-Type": "text/html", "Cache-Control": "no-store", "Content-Security-Policy": "frame-ancestors 'none'", "X-Frame-Options": "DENY",
	} {
		if got := w.Header().Get(name); !strings.Contains(got, want) {
			t.Errorf("%s: %q", name, got)
		}
	}
	w, status = s.ask(own, end(ref(other)), "Accept", "text/html", "Sec-Fetch-Site", "same-origin")
	if status != http.StatusSeeOther || w.Header().Get("Location") != "./devices" {
		t.Errorf("status %d, %q", status, w.Header().Get("Location"))
	}
	if l := s.list(own); len(l.Sessions) != 1 {
		t.Errorf("%+v", l)
	}
}

// No other site makes a browser end a session.
func TestDevicesOfAnotherOrigin(t *testing.T) {
	s := newSite(t, "user user\nstore memory origin")
	own, other := s.login(`{"user":"zoe"}`, "x"), s.login(`{"user":"zoe"}`, "x")
	for _, headers := range [][]string{
		{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "http://evil.example"}, {"Origin", "null"},
	} {
		if _, status := s.ask(own, end("others"), headers...); status != http.StatusForbidden {
			t.Errorf("%v: status %d", headers, status)
		}
	}
	s.list(other)
	if _, status := s.ask(own, end("others"), "Origin", "http://example.com"); status != http.StatusOK {
		t.Errorf("of its own origin: status %d", status)
	}
}

func TestDevicesRefuses(t *testing.T) {
	s := newSite(t, "user user\nstore memory refuses")
	own := s.login(`{"user":"zoe"}`, "x")
	if w, status := s.ask(nil, nil); status != http.StatusUnauthorized || w.Header().Get("WWW-Authenticate") != "Session" {
		t.Errorf("without a session: status %d", status)
	}
	if _, status := s.ask(s.login(`{"a":1}`, "x"), end("others")); status != http.StatusUnauthorized {
		t.Errorf("without a user: status %d", status)
	}
	for _, form := range []url.Values{{}, {"other": {"1"}}, {"end": {strings.Repeat("x", 8<<10)}}} {
		if _, status := s.ask(own, form); status != http.StatusBadRequest {
			t.Errorf("a form without sense: status %d", status)
		}
	}
	r := httptest.NewRequest(http.MethodDelete, "/", nil)
	r.AddCookie(own)
	if _, status := s.serve(r, handlerFunc(func(w http.ResponseWriter, r *http.Request) error { return s.devices.ServeHTTP(w, r, nil) })); status != http.StatusMethodNotAllowed {
		t.Errorf("DELETE: status %d", status)
	}
	w := httptest.NewRecorder()
	r = caddyhttp.PrepareRequest(httptest.NewRequest(http.MethodGet, "/", nil), caddy.NewReplacer(), w, new(caddyhttp.Server))
	if err := s.devices.ServeHTTP(w, r, nil); err == nil || !strings.Contains(err.Error(), "500") {
		t.Errorf("without a session handler: %v", err)
	}
	if err := new(devices.Devices).UnmarshalCaddyfile(caddyfile.NewTestDispenser("session_devices x")); err == nil {
		t.Error("a value was taken")
	}
}

// Another request of the same browser gets a new id, before or while the user ends the others. The
// browser stays logged in, whichever answer it sees.
func TestDevicesSpareTheNewID(t *testing.T) {
	s := newSite(t, "user user\nstore memory spare\nstore_timeout 30s")
	for _, underWay := range []bool{false, true} {
		own, other := s.login(`{"user":"zoe"}`, "x"), s.login(`{"user":"zoe"}`, "x")
		var renewed *http.Cookie
		renew := func() {
			r := httptest.NewRequest(http.MethodGet, "http://example.com/", nil)
			r.AddCookie(own)
			w, _ := s.serve(r, handlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
				w.Header().Set("X-Session-Control", "regenerate")
				return nil
			}))
			renewed = w.Result().Cookies()[0]
		}
		if !underWay {
			renew()
		}
		r := httptest.NewRequest(http.MethodPost, "http://example.com/a/devices", strings.NewReader(end("others").Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.AddCookie(own)
		_, status := s.serve(r, handlerFunc(func(w http.ResponseWriter, r *http.Request) error {
			if underWay {
				renew()
			}
			return s.devices.ServeHTTP(w, r, nil)
		}))
		if status != http.StatusOK {
			t.Errorf("ending others: status %d", status)
		}
		if _, status := s.ask(other, nil); status != http.StatusUnauthorized {
			t.Errorf("another session: status %d", status)
		}
		s.list(own)
		s.list(renewed)
		if _, status := s.ask(own, nil); status != http.StatusUnauthorized {
			t.Errorf("the old id: status %d", status)
		}
	}
}
