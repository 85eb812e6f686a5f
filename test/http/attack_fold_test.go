package http_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/quic-go/quic-go/http3"

	"github.com/caddy-session/caddy-session/test/harness"
)

// separators are the characters that a header's name may have apart from letters and digits (RFC
// 9110, section 5.6.2).
const separators = "!#$%&'*+-.^_`|~"

// folded returns names that a server which folds header names takes for this one: with each
// separator in all places, and with two different ones.
func folded(name string) (spellings []string) {
	for _, c := range separators {
		spellings = append(spellings, strings.ReplaceAll(name, "-", string(c)), strings.Replace(strings.ToLower(name), "-", string(c), 1))
	}
	return spellings
}

// cgi is a program that prints its environment.
const cgi = "#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\n\\r\\n'\nenv\n"

// putFile writes an executable file and its folders.
func putFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

// lighttpd runs lighttpd with a CGI program at /cgi-bin/env until the test ends.
func lighttpd(t *testing.T, options ...string) string {
	t.Helper()
	dir, addr := t.TempDir(), harness.FreeAddr(t)
	host, port, _ := net.SplitHostPort(addr)
	putFile(t, filepath.Join(dir, "cgi-bin", "env"), cgi)
	config := filepath.Join(dir, "lighttpd.conf")
	putFile(t, config, fmt.Sprintf(`server.modules = ("mod_cgi")
server.document-root = %q
server.bind = %q
server.port = %s
$HTTP["url"] =~ "^/cgi-bin/" { cgi.assign = ("" => "") }
%s
`, dir, host, port, strings.Join(options, "\n")))
	harness.Serve(t, "lighttpd", addr, exec.Command(harness.Program(t, "lighttpd", "/usr/sbin/lighttpd"), "-D", "-f", config))
	return addr
}

// busybox runs BusyBox httpd with the same program.
func busybox(t *testing.T, _ ...string) string {
	t.Helper()
	dir, addr := t.TempDir(), harness.FreeAddr(t)
	putFile(t, filepath.Join(dir, "cgi-bin", "env"), cgi)
	harness.Serve(t, "busybox httpd", addr, exec.Command(harness.Program(t, "busybox"), "httpd", "-f", "-p", addr, "-h", dir))
	return addr
}

// TestAttackFoldedNames sends names that CGI servers fold to the names of our headers.
func TestAttackFoldedNames(t *testing.T) {
	t.Parallel()
	for name, server := range map[string]func(*testing.T, ...string) string{"lighttpd": lighttpd, "busybox httpd": busybox} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			app := server(t)
			c := start(t, globals()+`
http://$ADDR {
	session {
		store memory
		secret $SECRET
		inject X-User user
	}
	session /matched/* {
		name shop
		store memory
		secret $SECRET
		inject X-Shop-User user
	}
	reverse_proxy /cgi-bin/* `+app+`
	reverse_proxy $BACKEND
}`)
			b := visit(t, c)
			b.change("update", `{"user":"zoe"}`)
			send := func(b *browser, header, trailer string) string {
				t.Helper()
				return b.raw("POST /cgi-bin/env HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: " + b.header.Get("Cookie") + "\r\nConnection: close\r\n" +
					header + "Transfer-Encoding: chunked\r\n\r\n0\r\n" + trailer + "\r\n")
			}
			alone, through := newBrowser(t, app, "http://x"), b.with("Cookie", b.cookies())
			fooled := ""
			for _, name := range []string{"X-Session-Data", "X-Session-Info", "X-Session-Flash", "X-User", "X-Session-Shop-Data", "X-Shop-User"} {
				env := "HTTP_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_")) + "="
				for _, spelling := range folded(name) {
					forged := spelling + ": " + forgery + "\r\n"
					if strings.Contains(send(alone, forged, ""), env+forgery) {
						fooled += spelling + " "
					}
					got := send(through, forged, forged)
					if strings.Contains(got, forgery) || !strings.Contains(got, `HTTP_X_SESSION_DATA={"user":"zoe"}`) || !strings.Contains(got, "HTTP_X_USER=zoe\n") {
						t.Errorf("after %s the app got %q", spelling, got)
					}
					if strings.Contains(got, "HTTP_X_SESSION_SHOP") || strings.Contains(got, "HTTP_X_SHOP") {
						t.Errorf("after %s the app got data of a session that does not exist: %q", spelling, got)
					}
				}
			}
			if !strings.Contains(fooled, "X^Session^Data ") {
				t.Errorf("the server folds only %s", fooled)
			}
		})
	}
}

// TestAttackFoldedNamesOverHTTP3 sends the same names over all versions of HTTP, and checks what an
// HTTP backend gets.
func TestAttackFoldedNamesOverHTTP3(t *testing.T) {
	t.Parallel()
	c, b, _ := secure(t, `
	session {
		store memory
		secret $SECRET
		inject X-User user
		inject X-Label "{http.session.data.user} at {http.request.host}"
	}
	reverse_proxy $BACKEND`)
	b.change("update", `{"user":"zoe"}`)
	config := &tls.Config{InsecureSkipVerify: true}
	h3 := &http3.Transport{TLSClientConfig: config}
	defer h3.Close()
	for version, transport := range map[string]http.RoundTripper{
		"HTTP/1.1": &http.Transport{TLSClientConfig: config.Clone()},
		"HTTP/2.0": b.client.Transport,
		"HTTP/3.0": h3,
	} {
		for _, name := range injected {
			r := b.request(http.MethodPost, "/", io.MultiReader(strings.NewReader("body")))
			for cookie := range strings.SplitSeq(b.cookies(), "; ") {
				r.Header.Add("Cookie", cookie)
			}
			r.Trailer = http.Header{"X-Checksum": {"abc"}, "Cookie": {forgery}}
			for _, spelling := range folded(name) {
				r.Header[spelling] = []string{forgery}
				r.Trailer[spelling] = []string{forgery}
			}
			resp, err := transport.RoundTrip(r)
			if err != nil {
				t.Fatalf("%s: %v\n%s", version, err, c.Log())
			}
			got := &reply{t: t, Response: resp}
			got.body, _ = io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if resp.Proto != version {
				t.Fatalf("%s is %s", version, resp.Proto)
			}
			checkClean(got, `{"user":"zoe"}`)
			sent := got.sent()
			// Over HTTP/3, Caddy does not forward trailers.
			if got.given("X-User") != "zoe" || sent.Body != "body" || version != "HTTP/3.0" && sent.Trailer.Get("X-Checksum") != "abc" {
				t.Errorf("%s: the backend got %v, %q and %v", version, sent.Header, sent.Body, sent.Trailer)
			}
		}
	}
}
