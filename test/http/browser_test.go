package http_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/dunglas/httpsfv"

	"github.com/caddy-session/caddy-session/test/harness"
)

// browser is an HTTP client of one site.
type browser struct {
	t      *testing.T
	client *http.Client
	base   string
	addr   string

	// header is sent with every request.
	header http.Header
}

// patience is the time limit for everything that a test waits for.
const patience = 20 * time.Second

// browser returns a client with its own cookie jar.
func (s *site) browser(t *testing.T) *browser {
	t.Helper()
	return newBrowser(t, caddy().Addr, "http://"+s.host)
}

// visit returns a client of a test's own Caddy.
func visit(t *testing.T, c *harness.Caddy) *browser {
	t.Helper()
	return newBrowser(t, c.Addr, c.URL)
}

func newBrowser(t *testing.T, addr, base string) *browser {
	t.Helper()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t: t, base: base, addr: addr, header: http.Header{}, client: &http.Client{
		Transport: transport, Jar: jar, Timeout: patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// with returns the same browser with one more request header.
func (b *browser) with(name, value string) *browser {
	clone := *b
	clone.header = b.header.Clone()
	clone.header.Add(name, value)
	return &clone
}

// via returns the same browser with h as the backend in place of echo.
func (b *browser) via(h any) *browser {
	if f, ok := h.(func(http.ResponseWriter, *http.Request)); ok {
		h = http.HandlerFunc(f)
	}
	return b.with(handlerHeader, register(b.t, h))
}

// at returns the same browser for another host.
func (b *browser) at(base string) *browser {
	clone := *b
	clone.base = base
	return &clone
}

// bare returns a client of the same site without cookies.
func (b *browser) bare() *browser {
	clone := *b
	client := *b.client
	client.Jar = nil
	clone.client = &client
	return &clone
}

// holding returns a client of the same site that sends this Cookie header and stores no cookies.
func (b *browser) holding(cookie string) *browser { return b.bare().with("Cookie", cookie) }

func (b *browser) request(method, path string, body io.Reader) *http.Request {
	b.t.Helper()
	r, err := http.NewRequest(method, b.base+path, body)
	if err != nil {
		b.t.Fatal(err)
	}
	for name, values := range b.header {
		r.Header[name] = values
		if name == "Host" {
			r.Host = values[0]
		}
	}
	return r
}

// open sends a request and returns when the response's head has arrived.
func (b *browser) open(r *http.Request) *reply {
	b.t.Helper()
	reply, err := b.try(r)
	if err != nil {
		b.t.Fatalf("%s %s: %v", r.Method, r.URL.Path, err)
	}
	return reply
}

// try is open that returns an error.
func (b *browser) try(r *http.Request) (*reply, error) {
	resp, err := b.client.Do(r)
	if err != nil {
		return nil, err
	}
	b.t.Cleanup(func() { _ = resp.Body.Close() })
	for _, c := range resp.Cookies() {
		if id, _, signed := strings.Cut(c.Value, "."); signed {
			secrets.Store(id, true)
		}
	}
	return &reply{t: b.t, Response: resp}, nil
}

// send sends a request and reads the response.
func (b *browser) send(r *http.Request) *reply {
	b.t.Helper()
	reply := b.attempt(r)
	if reply == nil {
		b.t.FailNow()
	}
	return reply
}

// attempt is send for other goroutines: it returns nil after it has failed the test.
func (b *browser) attempt(r *http.Request) *reply {
	b.t.Helper()
	reply, err := b.try(r)
	if err != nil {
		b.t.Errorf("%s %s: %v", r.Method, r.URL.Path, err)
		return nil
	}
	if reply.body, err = io.ReadAll(reply.Body); err != nil {
		b.t.Errorf("%s %s: reading the response: %v", r.Method, r.URL.Path, err)
		return nil
	}
	return reply
}

func (b *browser) get(path string) *reply {
	b.t.Helper()
	return b.send(b.request(http.MethodGet, path, nil))
}

// ask sends a request to which echo responds with these headers.
func (b *browser) ask(pairs ...string) *reply {
	b.t.Helper()
	path := ask("/", pairs...)
	if len(path) < maxPath {
		return b.get(path)
	}
	query := path[len("/?"):]
	return b.via(func(w http.ResponseWriter, r *http.Request) {
		r.URL.RawQuery = query
		echo(w, r)
	}).get("/long")
}

// maxPath is below Caddy's limit for request headers.
const maxPath = 8 << 10

// change makes the backend change the session, and fails the test if the change is refused.
func (b *browser) change(pairs ...string) *reply {
	b.t.Helper()
	return b.ask(pairs...).want(http.StatusOK)
}

// look returns what the backend gets now.
func (b *browser) look() *reply {
	b.t.Helper()
	return b.get("/").want(http.StatusOK)
}

// cookies returns the Cookie header that the browser would send.
func (b *browser) cookies() string {
	u, err := url.Parse(b.base)
	if err != nil {
		b.t.Fatal(err)
	}
	var all []string
	for _, c := range b.client.Jar.Cookies(u) {
		all = append(all, c.Name+"="+c.Value)
	}
	return strings.Join(all, "; ")
}

// reply is a response.
type reply struct {
	t *testing.T
	*http.Response
	body []byte
}

// want fails the test unless the status is as expected.
func (r *reply) want(status int) *reply {
	r.t.Helper()
	if r.StatusCode != status {
		r.t.Fatalf("%.200s: status %d, want %d; body: %.300s", r.Request.URL, r.StatusCode, status, r.body)
	}
	return r
}

// sent returns the request in the view of the backend.
func (r *reply) sent() request {
	r.t.Helper()
	var sent request
	if err := json.Unmarshal(r.body, &sent); err != nil {
		r.t.Fatalf("%.200s: status %d, not from the backend: %.300s", r.Request.URL, r.StatusCode, r.body)
	}
	return sent
}

// given returns the single value of a header that the backend got.
func (r *reply) given(name string) string {
	r.t.Helper()
	values := r.sent().Header.Values(name)
	if len(values) > 1 {
		r.t.Fatalf("the backend got %s %d times", name, len(values))
	}
	return strings.Join(values, "")
}

// holds fails the test unless the backend got these data.
func (r *reply) holds(data string) *reply {
	r.t.Helper()
	if got := r.given("X-Session-Data"); got != data {
		r.t.Fatalf("X-Session-Data: %s, want %s", got, data)
	}
	return r
}

// flashes fails the test unless the backend got these messages.
func (r *reply) flashes(want string) *reply {
	r.t.Helper()
	if got := r.given("X-Session-Flash"); got != want {
		r.t.Fatalf("X-Session-Flash: %s, want %s", got, want)
	}
	if _, present := r.sent().Header["X-Session-Flash"]; present != (want != "") {
		r.t.Fatal("X-Session-Flash without messages")
	}
	return r
}

// info is the parsed X-Session-Info.
type info struct {
	exists, unavailable bool
	ref                 string
	created, expires    time.Time
}

func (r *reply) info() (i info) {
	r.t.Helper()
	return parseInfo(r.t, r.given("X-Session-Info"))
}

func parseInfo(t *testing.T, text string) (i info) {
	t.Helper()
	dict, err := httpsfv.UnmarshalDictionary([]string{text})
	if err != nil {
		t.Fatalf("X-Session-Info: %q: %v", text, err)
	}
	for _, name := range dict.Names() {
		member, _ := dict.Get(name)
		value := member.(httpsfv.Item).Value
		switch name {
		case "exists":
			i.exists = value.(bool)
		case "unavailable":
			i.unavailable = value.(bool)
		case "ref":
			i.ref = value.(string)
		case "created":
			i.created = value.(time.Time)
		case "expires":
			i.expires = value.(time.Time)
		default:
			t.Fatalf("X-Session-Info has %s", name)
		}
	}
	return i
}

// cookie returns our Set-Cookie, by its name with or without TLS, or nil. It fails the test if
// there are several.
func (r *reply) cookie() *http.Cookie {
	r.t.Helper()
	plain, host := r.cookieNamed("caddy_session"), r.cookieNamed("__Host-caddy_session")
	switch {
	case host == nil:
		return plain
	case plain != nil || !host.Secure || host.Path != "/" || host.Domain != "":
		r.t.Fatalf("Set-Cookie %q", r.Header["Set-Cookie"])
	}
	return host
}

func (r *reply) cookieNamed(name string) (found *http.Cookie) {
	r.t.Helper()
	for _, c := range r.Cookies() {
		if c.Name != name {
			continue
		}
		if found != nil {
			r.t.Fatalf("Set-Cookie of %s twice: %q", name, r.Header["Set-Cookie"])
		}
		found = c
	}
	return found
}

// issues fails the test unless the response sets our cookie.
func (r *reply) issues() *http.Cookie {
	r.t.Helper()
	c := r.cookie()
	if c == nil || c.Value == "" || c.MaxAge < 0 {
		r.t.Fatalf("no session cookie: %q", r.Header["Set-Cookie"])
	}
	return c
}

// keeps fails the test if the response sets or deletes our cookie.
func (r *reply) keeps() *reply {
	r.t.Helper()
	if c := r.cookie(); c != nil {
		r.t.Fatalf("unexpected Set-Cookie: %s", c)
	}
	return r
}

// expires fails the test unless the response deletes our cookie.
func (r *reply) expires() *reply {
	r.t.Helper()
	if c := r.cookie(); c == nil || c.MaxAge >= 0 || c.Value != "" {
		r.t.Fatalf("the cookie is not deleted: %q", r.Header["Set-Cookie"])
	}
	return r
}

// hides fails the test if the response has a header of ours.
func (r *reply) hides() *reply {
	r.t.Helper()
	for _, h := range []http.Header{r.Header, r.Trailer} {
		for name := range h {
			if folded := strings.NewReplacer("_", "-", ".", "-").Replace(strings.ToLower(name)); strings.HasPrefix(folded, "x-session-") {
				r.t.Fatalf("the client got %s", name)
			}
		}
	}
	return r
}

// eventually polls until ok, and fails the test at the time limit.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("timed out waiting until " + what)
		}
	}
}

// awaitLog waits until the shared Caddy logs a text, which may come after the response.
func awaitLog(t *testing.T, what, text string) {
	t.Helper()
	eventually(t, "the log has "+what, func() bool { return strings.Contains(caddy().Log(), text) })
}

// raw sends raw bytes to the site and returns the response until the connection is closed.
func (b *browser) raw(text string) string {
	b.t.Helper()
	conn, err := net.Dial("tcp", b.addr)
	if err != nil {
		b.t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, text); err != nil {
		b.t.Fatal(err)
	}
	var got bytes.Buffer
	if _, err := io.Copy(&got, conn); err != nil {
		b.t.Fatalf("after %q: %v", got.String(), err)
	}
	return got.String()
}
