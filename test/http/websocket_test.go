package http_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/caddy-session/caddy-session/test/harness"
)

// switchTo answers a WebSocket handshake with the headers in the query, and then echoes.
func switchTo(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Upgrade") != "websocket" {
		http.Error(w, "no handshake", http.StatusBadRequest)
		return
	}
	_ = answer(w.Header(), r)
	w.Header().Set("Connection", "Upgrade")
	w.Header().Set("Upgrade", "websocket")
	w.Header().Set("Sec-WebSocket-Accept", "accepted")
	if r.URL.Query().Has("update") {
		w.Header().Set("X-Data", r.Header.Get("X-Session-Data"))
	}
	w.WriteHeader(http.StatusSwitchingProtocols)
	conn, in, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = io.Copy(conn, in)
}

// socket is an upgraded connection.
type socket struct {
	t *testing.T
	net.Conn
	in *bufio.Reader
}

// upgrade sends a WebSocket handshake and returns the response with its connection.
func (b *browser) upgrade(pairs ...string) (*reply, *socket) {
	b.t.Helper()
	b = b.via(switchTo)
	conn, err := net.Dial("tcp", b.addr)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	r := b.request(http.MethodGet, ask("/", pairs...), nil)
	for name, value := range map[string]string{
		"Connection": "keep-alive, Upgrade, X-Session-Data", "Upgrade": "websocket",
		"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version": "13",
	} {
		r.Header.Set(name, value)
	}
	if b.client.Jar != nil {
		if cookies := b.cookies(); cookies != "" {
			r.Header.Set("Cookie", cookies)
		}
	}
	if err := r.Write(conn); err != nil {
		b.t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	resp, err := http.ReadResponse(in, r)
	if err != nil {
		b.t.Fatal(err)
	}
	if b.client.Jar != nil {
		b.client.Jar.SetCookies(r.URL, resp.Cookies())
	}
	return &reply{t: b.t, Response: resp}, &socket{b.t, conn, in}
}

// echoes fails the test unless the connection echoes a text.
func (s *socket) echoes(text string) {
	s.t.Helper()
	if _, err := io.WriteString(s, text); err != nil {
		s.t.Fatal(err)
	}
	got := make([]byte, len(text))
	if _, err := io.ReadFull(s.in, got); err != nil || string(got) != text {
		s.t.Fatalf("the socket echoed %q, %v", got, err)
	}
}

// ends fails the test unless the connection is closed.
func (s *socket) ends() {
	s.t.Helper()
	_, err := io.Copy(io.Discard, s.in)
	if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
		s.t.Error("the socket is still open")
	}
}

func TestWebSocket(t *testing.T) {
	t.Parallel()
	b := plain.browser(t)
	r, s := b.upgrade("update", `{"a":1}`, "flash", `"hello"`)
	r.want(http.StatusSwitchingProtocols).hides().issues()
	if got := r.Header.Values("Vary"); len(got) != 1 || got[0] != "Cookie" {
		t.Errorf("Vary %q", got)
	}
	if r.Header.Get("Cache-Control") != "no-store" {
		t.Error("not no-store")
	}
	s.echoes("before")
	b.look().holds(`{"a":1}`).flashes(`[["message","hello"]]`)
	r, s2 := b.upgrade("update", `{"b":1}`)
	r.want(http.StatusSwitchingProtocols).hides().keeps()
	if r.Header.Get("X-Data") != `{"a":1}` {
		t.Errorf("the backend got %q", r.Header.Get("X-Data"))
	}
	b.look().holds(`{"a":1,"b":1}`)
	s.echoes("both")
	s2.echoes("are open")
	b.change("control", "destroy")
	s.ends()
	s2.ends()
	b.look().holds("{}")
}

func TestWebSocketRefused(t *testing.T) {
	t.Parallel()
	b := withErrors.browser(t)
	b.change("update", `{"a":1}`)
	for _, pairs := range [][]string{{"update", "{"}, {"control", "nonsense"}} {
		r, _ := b.upgrade(pairs...)
		r.body, _ = io.ReadAll(r.Body)
		checkErrorPage(r, http.StatusBadGateway, "sorry: 502 [X-Session-")
		if r.Header.Get("Upgrade") != "" || r.Header["X-Data"] != nil {
			t.Errorf("head %v", r.Header)
		}
	}
	b.look().holds(`{"a":1}`)
}

var tlsOptions = strings.Replace(globals(), "auto_https off", "auto_https disable_redirects", 1)

// secure starts a Caddy with TLS, and returns a client that does not check the certificate.
func secure(t *testing.T, site string) (*harness.Caddy, *browser, *tls.Config) {
	t.Helper()
	c := start(t, tlsOptions+"https://$ADDR {\n\ttls internal\n"+site+"\n}\n")
	c.URL = "https://" + c.Addr
	b := visit(t, c)
	config := &tls.Config{InsecureSkipVerify: true}
	b.client.Transport = &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}
	eventually(t, "the certificate is there", func() bool {
		conn, err := tls.Dial("tcp", c.Addr, config)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	return c, b, config
}

func TestTLS(t *testing.T) {
	t.Parallel()
	_, b, config := secure(t, `
	session {
		store memory
		secret $SECRET
		cookie {
			name __Host-session
			secure on
			same_site none
			partitioned on
		}
	}
	session {
		name shop
		store memory
		secret $SECRET
	}
	reverse_proxy $BACKEND`)
	r := b.change("update", `{"a":1}`, "X-Session-Shop-Update", `{"s":1}`)
	if r.ProtoMajor != 2 {
		t.Errorf("HTTP/%d", r.ProtoMajor)
	}
	c := r.cookieNamed("__Host-session")
	if c == nil || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteNoneMode || !c.Partitioned || c.Path != "/" {
		t.Errorf("cookie %+v", c)
	}
	if c := r.cookieNamed("__Host-caddy_session_shop"); c == nil || !c.Secure {
		t.Errorf("with secure auto: %+v", c)
	}
	b.look().holds(`{"a":1}`)

	// WebSockets over HTTP/2 (RFC 8441).
	transport := &http2.Transport{TLSClientConfig: config}
	defer transport.CloseIdleConnections()
	connect := func(pairs ...string) (*reply, io.WriteCloser) {
		out, in := io.Pipe()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		t.Cleanup(cancel)
		r := b.via(switchTo).request(http.MethodConnect, ask("/", pairs...), out).WithContext(ctx)
		r.Header.Set(":protocol", "websocket")
		r.Header.Set("Sec-WebSocket-Version", "13")
		r.Header.Set("Cookie", b.cookies())
		resp, err := transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = resp.Body.Close() })
		return &reply{t: t, Response: resp}, in
	}
	r, in := connect("update", `{"b":2}`, "control", "regenerate")
	r.want(http.StatusOK).hides()
	if r.Header.Get("X-Data") != `{"a":1}` {
		t.Errorf("the backend got %q", r.Header.Get("X-Data"))
	}
	if c := r.cookieNamed("__Host-session"); c == nil {
		t.Error("no cookie")
	} else {
		b.client.Jar.SetCookies(b.request("GET", "/", nil).URL, []*http.Cookie{c})
	}
	b.look().holds(`{"a":1,"b":2}`)
	if _, err := io.WriteString(in, "hello"); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 5)
	if _, err := io.ReadFull(r.Body, got); err != nil || string(got) != "hello" {
		t.Fatalf("the socket echoed %q, %v", got, err)
	}
	r, _ = connect("update", `{`)
	r.want(http.StatusBadGateway).hides()
	if r.Header["X-Data"] != nil {
		t.Errorf("refused: %v", r.Header)
	}
	b.look().holds(`{"a":1,"b":2}`)
}
