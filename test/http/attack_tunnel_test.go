package http_test

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/caddy-session/caddy-session/test/harness"
)

// asgiApp answers with its request's headers, and echoes WebSocket messages.
const asgiApp = `
async def app(scope, receive, send):
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (event := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": event["text"]})
    if scope["type"] == "http":
        body = b"".join(b"%s: %s\n" % header for header in scope["headers"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"HTTP/%s\n" % scope["http_version"].encode() + body})
`

// hypercorn runs Hypercorn until the test ends, and returns its address.
func hypercorn(t *testing.T, options ...string) string {
	t.Helper()
	python := filepath.Join(harness.Root(), "test", ".venvs", "hypercorn", "bin", "python")
	if _, err := os.Stat(python); err != nil {
		harness.Missing(t, "Hypercorn")
	}
	dir, addr := t.TempDir(), harness.FreeAddr(t)
	if err := os.WriteFile(filepath.Join(dir, "echo.py"), []byte(asgiApp), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, append([]string{"-m", "hypercorn", "--workers", "0", "--bind", addr, "echo:app"}, options...)...)
	cmd.Dir = dir
	harness.Serve(t, "hypercorn", addr, cmd)
	return addr
}

// tunnel requests an upgrade to HTTP/2 in clear text on a new connection.
func tunnel(t *testing.T, addr, path, headers string) (net.Conn, *bufio.Reader, *http.Response) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: "+addr+"\r\n"+headers+"\r\n"); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	return conn, in, resp
}

// throughTunnel sends a second request over HTTP/2, and returns the body of the response.
func throughTunnel(t *testing.T, conn io.Writer, in io.Reader, header ...string) string {
	t.Helper()
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for i := 0; i < len(header); i += 2 {
		_ = encoder.WriteField(hpack.HeaderField{Name: header[i], Value: header[i+1]})
	}
	framer := http2.NewFramer(conn, in)
	_, _ = io.WriteString(conn, http2.ClientPreface)
	_ = framer.WriteSettings()
	_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 3, BlockFragment: block.Bytes(), EndStream: true, EndHeaders: true})
	var body strings.Builder
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			t.Fatalf("the tunnel ended with %v after %q", err, body.String())
		}
		if data, ok := frame.(*http2.DataFrame); ok && data.StreamID == 3 {
			body.Write(data.Data())
			if data.StreamEnded() {
				return body.String()
			}
		}
	}
}

// Inside a connection that a backend takes over as HTTP/2, no request would be cleaned.
func TestAttackTunnel(t *testing.T) {
	t.Parallel()
	backend := hypercorn(t)
	c := start(t, globals()+`
http://$ADDR {
	handle /alone* {
		reverse_proxy `+backend+`
	}
	handle /left/out* {
		session /left/in {
			name left
			header_prefix X-Session-
			store memory
			secret $SECRET
		}
		reverse_proxy `+backend+`
	}
	handle {
		session {
			store memory
			secret $SECRET
		}
		reverse_proxy `+backend+`
	}
}`)
	const settings = "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n"
	forged := []string{":method", "GET", ":scheme", "http", ":path", "/", ":authority", "x", "x-session-data", `{"user":"admin"}`}
	conn, in, resp := tunnel(t, c.Addr, "/alone", "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"+settings)
	if resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("the backend opens no tunnel: status %d", resp.StatusCode)
	}
	if got := throughTunnel(t, conn, in, forged...); !strings.Contains(got, "HTTP/2") || !strings.Contains(got, `x-session-data: {"user":"admin"}`) {
		t.Fatalf("through the tunnel, the backend got %q", got)
	}

	for _, path := range []string{"/", "/left/out"} {
		for _, headers := range []string{
			"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n" + settings,
			"Connection: upgrade,http2-settings\r\nupgrade: H2C\r\n" + settings,
			"Connection: Upgrade\r\nUpgrade: h2c\r\n" + settings,
			"Connection: Upgrade\r\nUpgrade:  h2c \r\n",
			"Connection: Upgrade\r\nUpgrade: , h2c\r\nUpgrade: websocket\r\n" + settings,
			"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c, h2c\r\nHTTP2!Settings: AAMAAABk\r\n" + settings,
		} {
			_, _, resp := tunnel(t, c.Addr, path, headers+"X-Session-Data: FORGED\r\n")
			body, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
			got := strings.ToLower(string(body))
			if strings.Contains(headers, "websocket") {
				// Not a valid handshake: the result is not checked, except that it is not HTTP/2.
				if resp.StatusCode == http.StatusSwitchingProtocols {
					t.Errorf("%s: %q opens a tunnel", path, headers)
				}
				continue
			}
			if resp.StatusCode != http.StatusOK || !strings.Contains(got, "http/1.1") {
				t.Errorf("%s: %q: status %d, %q", path, headers, resp.StatusCode, got)
			}
			for _, bad := range []string{"h2c", "http2", "forged"} {
				if strings.Contains(got, bad) {
					t.Errorf("%s: after %q the backend got %q", path, headers, got)
				}
			}
		}

		// WebSockets still work.
		conn, in, resp := tunnel(t, c.Addr, path, "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")
		if resp.StatusCode != http.StatusSwitchingProtocols || resp.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
			t.Errorf("%s: WebSocket: status %d, %v", path, resp.StatusCode, resp.Header)
			continue
		}
		_, _ = conn.Write([]byte("\x81\x85\x00\x00\x00\x00hello")) // a text frame of five bytes, masked with zeros
		got := make([]byte, 7)
		if _, err := io.ReadFull(in, got); err != nil || string(got) != "\x81\x05hello" {
			t.Errorf("%s: the socket echoed %q, %v", path, got, err)
		}
	}
}
