package http_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go/http3"
	"golang.org/x/net/http2"

	"github.com/caddy-session/caddy-session/test/harness"
)

// events answers with a response that goes on until the client hangs up. It says something once, or
// with the parameter "talks", all the time.
func events(kind string, left chan<- struct{}) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_ = answer(w.Header(), r)
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", kind)
		_, _ = io.WriteString(w, "data: 1\n\n")
		_ = http.NewResponseController(w).Flush()
		for r.Context().Err() == nil {
			select {
			case <-r.Context().Done():
			case <-time.After(50 * time.Millisecond):
			}
			if strings.Contains(r.URL.RawQuery, "talks") {
				if _, err := io.WriteString(w, ": still here\n\n"); err != nil {
					break
				}
				if http.NewResponseController(w).Flush() != nil {
					break
				}
			}
		}
		close(left)
	}
}

// openStream opens an event stream, and returns when its first event has come.
func openStream(t *testing.T, client http.RoundTripper, r *http.Request) (body io.Reader) {
	t.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	t.Cleanup(cancel)
	resp, err := client.RoundTrip(r.WithContext(ctx))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	in := bufio.NewReader(resp.Body)
	for range 2 {
		if line, err := in.ReadString('\n'); err != nil || line != "data: 1\n" && line != "\n" {
			t.Fatalf("the stream begins with %q, %v", line, err)
		}
	}
	return in
}

// closes fails the test unless a stream ends before the time limit, and not with a regular end: the
// client must not take it for complete.
func closes(t *testing.T, stream io.Reader) {
	t.Helper()
	_, err := io.Copy(io.Discard, stream)
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the stream is still open")
	} else if err == nil {
		t.Error("the stream has a regular end")
	}
}

// open checks that nothing happens to a stream for a moment.
func stillOpen(t *testing.T, stream io.Reader, left <-chan struct{}) {
	t.Helper()
	select {
	case <-left:
		t.Error("the stream has ended")
	case <-time.After(200 * time.Millisecond):
	}
}

const streamsSession = `
	session {
		store memory streams
		secret $SECRET
		user user
		%s
	}`

var (
	streamsEnd    = newSite("streams-end", strings.Replace(streamsSession, "%s", "streams end", 1)+"\n\treverse_proxy $BACKEND")
	streamsKept   = newSite("streams-keep", strings.Replace(streamsSession, "%s", "streams keep", 1)+"\n\treverse_proxy $BACKEND")
	streamsFCGI   = newSite("streams-fcgi", strings.Replace(streamsSession, "%s", "", 1)+"\n\treverse_proxy $FCGI {\n\t\ttransport fastcgi\n\t}")
	streamsNone   = newSite("streams-none", "\n\tsession {\n\t\tstore none\n\t}\n\treverse_proxy $BACKEND")
	streamsEncode = newSite("streams-encode", strings.Replace(streamsSession, "%s", "", 1)+"\n\tencode gzip\n\treverse_proxy $BACKEND")
)

// A stream ends at once when its session is destroyed: the next look is after this test's patience.
func TestEventStreamEndsWithItsSession(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		site              *site
		method, kind, ask string
	}{
		"silent":               {streamsEnd, "GET", "text/event-stream", "/"},
		"with a charset":       {streamsEnd, "GET", "Text/Event-Stream; charset=utf-8", "/"},
		"talking":              {streamsEnd, "GET", "text/event-stream", "/?talks"},
		"answer to a POST":     {streamsEnd, "POST", "text/event-stream", "/"},
		"compressed":           {streamsEncode, "GET", "text/event-stream", "/"},
		"of FastCGI, talking":  {streamsFCGI, "GET", "text/event-stream", "/?talks"},
		"that began a session": {streamsEnd, "GET", "text/event-stream", ask("/", "update", `{"user":"zoe"}`)},
		"with a new id":        {streamsEnd, "GET", "text/event-stream", ask("/", "control", "regenerate")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := test.site.browser(t)
			if name != "that began a session" {
				b.change("update", `{"user":"zoe"}`)
			}
			left := make(chan struct{})
			r := b.via(events(test.kind, left)).request(test.method, test.ask, strings.NewReader("body"))
			r.Header.Set("Cookie", b.cookies())
			resp := make(http.Header)
			stream := openStream(t, headOf{b.client.Transport, resp}, r)
			b.client.Jar.SetCookies(r.URL, (&http.Response{Header: resp}).Cookies())
			b.change("update", `{"a":1}`)
			stillOpen(t, stream, left)
			b.change("control", "destroy").expires()
			closes(t, stream)
			waits(t, "the app notices", left)
		})
	}
}

// headOf keeps the head of a response.
type headOf struct {
	http.RoundTripper
	head http.Header
}

func (h headOf) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := h.RoundTripper.RoundTrip(r)
	if err == nil {
		maps.Copy(h.head, resp.Header)
	}
	return resp, err
}

// Neither a new id, nor another user, nor the end of another session ends a stream. What is not an
// event stream is a download.
func TestStreamsThatGoOn(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		site    *site
		kind    string
		changes [][]string
	}{
		"new id":             {streamsEnd, "text/event-stream", [][]string{{"control", "regenerate"}, {"update", `{"a":1}`}}},
		"another user":       {streamsEnd, "text/event-stream", [][]string{{"update", `{"user":"bob"}`}, {"update", `{"a":1}`}}},
		"end-others":         {streamsEnd, "text/event-stream", [][]string{{"control", "end-others"}}},
		"streams keep":       {streamsKept, "text/event-stream", [][]string{{"control", "destroy"}}},
		"download":           {streamsEnd, "application/octet-stream", [][]string{{"control", "destroy"}}},
		"page that is slow":  {streamsEnd, "text/html", [][]string{{"control", "destroy"}}},
		"nearly a stream":    {streamsEnd, "text/event-streams", [][]string{{"control", "destroy"}}},
		"one of no session":  {streamsEnd, "text/event-stream", nil},
		"store none":         {streamsNone, "text/event-stream", nil},
		"lines of JSON":      {streamsEnd, "application/x-ndjson", [][]string{{"control", "destroy"}}},
		"multipart replaced": {streamsEnd, "multipart/x-mixed-replace; boundary=x", [][]string{{"control", "destroy"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := test.site.browser(t)
			if test.changes != nil {
				b.change("update", `{"user":"goes on `+name+`"}`)
			}
			left := make(chan struct{})
			r := b.via(events(test.kind, left)).request(http.MethodGet, "/", nil)
			if test.site == streamsNone {
				r.URL.RawQuery = "X-Session-Update={}&X-Session-Flash=\"hello\""
			}
			r.Header.Set("Cookie", b.cookies())
			stream := openStream(t, b.client.Transport, r)
			for _, change := range test.changes {
				b.change(change...)
			}
			b.look()
			stillOpen(t, stream, left)
		})
	}
}

// TestStreamsOverTLS ends event streams and WebSockets over each version of HTTP, also after a
// reload of the configuration. Caddy itself closes those over HTTP/3 when it reloads.
func TestStreamsOverTLS(t *testing.T) {
	t.Parallel()
	session := strings.Replace(streamsSession, "%s", "", 1) + "\n\treverse_proxy $BACKEND {\n\t\tstream_close_delay 1h\n\t}"
	c, _, config := secure(t, session)
	h1 := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}}}
	h2 := &http2.Transport{TLSClientConfig: config}
	h3 := &http3.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	t.Cleanup(func() {
		h1.CloseIdleConnections()
		h2.CloseIdleConnections()
		_ = h3.Close()
	})
	for name, test := range map[string]struct {
		client http.RoundTripper
		major  int
	}{"HTTP/1.1": {h1, 1}, "HTTP/2": {h2, 2}, "HTTP/3": {h3, 3}} {
		for _, way := range []string{"at once", "after a reload"} {
			reloads := way == "after a reload"
			if reloads && test.major == 3 {
				continue
			}
			t.Run(name+" "+way, func(t *testing.T) {
				b := newBrowser(t, c.Addr, c.URL)
				b.client.Transport = h2
				b.change("update", `{"user":"zoe"}`)
				open := func(query string) (io.Reader, chan struct{}) {
					left := make(chan struct{})
					r := b.via(events("text/event-stream", left)).request(http.MethodGet, "/"+query, nil)
					r.Header.Set("Cookie", b.cookies())
					return openStream(t, test.client, r), left
				}
				silent, leftSilent := open("")
				talking, leftTalking := open("?talks")
				var socket io.Reader
				if test.major == 2 {
					socket = b.connect(t, h2)
				}
				if reloads {
					if err := c.Reload(expand(tlsOptions + "https://$ADDR {\n\ttls internal\n\theader X-New yes\n" + session + "\n}\n")); err != nil {
						t.Fatal(err)
					}
				}
				b.look()
				stillOpen(t, silent, leftSilent)
				stillOpen(t, talking, leftTalking)
				b.change("control", "destroy").expires()
				closes(t, silent)
				closes(t, talking)
				waits(t, "the app notices", leftSilent)
				waits(t, "the app notices", leftTalking)
				if socket != nil {
					closes(t, socket)
				}
			})
		}
	}
}

// connect opens a WebSocket over HTTP/2 (RFC 8441) and checks that it echoes.
func (b *browser) connect(t *testing.T, client *http2.Transport) io.Reader {
	t.Helper()
	out, in := io.Pipe()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	r := b.via(switchTo).request(http.MethodConnect, "/", out).WithContext(ctx)
	r.Header.Set(":protocol", "websocket")
	r.Header.Set("Sec-WebSocket-Version", "13")
	r.Header.Set("Cookie", b.cookies())
	resp, err := client.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	_, _ = io.WriteString(in, "hello")
	got := make([]byte, 5)
	if _, err := io.ReadFull(resp.Body, got); err != nil || string(got) != "hello" {
		t.Fatalf("the socket echoed %q, %v", got, err)
	}
	return resp.Body
}

// A client that has sent more than its request does not keep its event stream, although the server
// does not read ahead from it then.
func TestAttackPipelinedByteKeepsAStream(t *testing.T) {
	t.Parallel()
	b := streamsEnd.browser(t)
	b.change("update", `{"user":"zoe"}`)
	left := make(chan struct{})
	r := b.via(events("text/event-stream", left)).request(http.MethodGet, "/", nil)
	r.Header.Set("Cookie", b.cookies())
	r.Header.Set("Accept", "text/event-stream")
	conn, err := net.Dial("tcp", b.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	var head strings.Builder
	_ = r.Write(&head)
	_, _ = io.WriteString(conn, head.String())
	in := bufio.NewReader(conn)
	if resp, err := http.ReadResponse(in, r); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%v, %v", resp, err)
	}
	_, _ = io.WriteString(conn, "G")
	stillOpen(t, in, left)
	b.change("control", "destroy").expires()
	if _, err := io.Copy(io.Discard, in); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the connection is still open")
	}
	waits(t, "the app notices", left)
}

// silent is a script that sends an event, and nothing more until the file talk is there. Then it
// talks until PHP ends it, which leaves the file ended.
const silentScript = `<?php
register_shutdown_function(function () { touch(__DIR__ . '/ended'); });
header('Content-Type: text/event-stream');
while (ob_get_level()) ob_end_flush();
echo "data: 1\n\n";
flush();
while (true) {
	usleep(20000);
	clearstatcache();
	if (file_exists(__DIR__ . '/talk')) { echo ": talk\n\n"; flush(); }
}
`

// The client of a PHP script that is silent sees its connection close at once. The script goes on
// until it says something.
func TestStreamOfASilentPHPScript(t *testing.T) {
	t.Parallel()
	fpm, dir := harness.StartFPM(t), t.TempDir()
	putFile(t, filepath.Join(dir, "silent.php"), silentScript)
	if err := os.Chmod(dir, 0o777); err != nil { // the pool may have another user
		t.Fatal(err)
	}
	site := strings.Replace(streamsSession, "%s", "", 1) + "\n\thandle /silent.php {\n\t\troot " + dir + "\n\t\tphp_fastcgi " + fpm.Addr + "\n\t}\n\thandle {\n\t\treverse_proxy $BACKEND\n\t}"
	b := visit(t, start(t, "http://$ADDR {\n"+site+"\n}"))
	b.change("update", `{"user":"zoe"}`)
	r := b.request(http.MethodGet, "/silent.php", nil)
	r.Header.Set("Cookie", b.cookies())
	stream := openStream(t, b.client.Transport, r)
	b.change("control", "destroy").expires()
	closes(t, stream)
	ended := filepath.Join(dir, "ended")
	if _, err := os.Stat(ended); err == nil {
		t.Error("the script has ended, though it was silent: docs/options.md says that it goes on")
	}
	putFile(t, filepath.Join(dir, "talk"), "")
	eventually(t, "PHP ends the script", func() bool {
		_, err := os.Stat(ended)
		return err == nil
	})
}
