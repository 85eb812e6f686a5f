package http_test

import (
	"encoding/json"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/test/harness"
)

// growingApp fills its session, as data or in cookies, and ends it.
const growingApp = `
import json
from urllib.parse import parse_qs

def application(environ, start_response):
    query = parse_qs(environ["QUERY_STRING"])
    headers = [("Content-Type", "application/json")]
    if "data" in query:
        headers.append(("X-Session-Update", json.dumps({"a": "x" * int(query["data"][0])})))
    for i in range(int(query.get("cookies", ["0"])[0])):
        headers.append(("Set-Cookie", "app%d=%s" % (i, "x" * 1000)))
    if "logout" in query:
        headers.append(("X-Session-Control", "destroy"))
    start_response("200 OK", headers)
    return [json.dumps({name: environ.get("HTTP_" + name, "") for name in ("X_SESSION_DATA", "X_SESSION_INFO", "COOKIE")}).encode()]
`

// uwsgi runs a WSGI app in uWSGI with these options.
func uwsgi(t *testing.T, script string, options ...string) string {
	t.Helper()
	addr := harness.FreeAddr(t)
	harness.Serve(t, "uwsgi", addr, exec.Command(harness.Program(t, "uwsgi-core"), append([]string{"--plugin", "python3", "--http-socket", addr,
		"--wsgi-file", script, "--need-app", "--master", "--die-on-term"}, options...)...))
	return addr
}

// gunicorn runs a WSGI app in gunicorn with these options.
func gunicorn(t *testing.T, script string, options ...string) string {
	t.Helper()
	addr := harness.FreeAddr(t)
	cmd := exec.Command(harness.Python(t), append([]string{"-m", "gunicorn", "--no-control-socket", "--bind", addr,
		strings.TrimSuffix(filepath.Base(script), ".py")}, options...)...)
	cmd.Dir = filepath.Dir(script)
	harness.Serve(t, "gunicorn", addr, cmd)
	return addr
}

// nginx runs nginx until the test ends. In its configuration, $ADDR and $DIR mean what they do in a
// Caddyfile.
func nginx(t *testing.T, server string) string {
	t.Helper()
	addr, dir := harness.FreeAddr(t), t.TempDir()
	config := filepath.Join(dir, "nginx.conf")
	putFile(t, config, strings.NewReplacer("$ADDR", addr, "$DIR", dir).Replace(`
daemon off;
master_process off;
pid $DIR/pid;
error_log stderr;
events {}
http {
	access_log off;
	client_body_temp_path $DIR/body;
	proxy_temp_path $DIR/proxy;
	fastcgi_temp_path $DIR/fastcgi;
	uwsgi_temp_path $DIR/uwsgi;
	scgi_temp_path $DIR/scgi;
	server {
		listen $ADDR;
		`+server+`
	}
}
`))
	harness.Serve(t, "nginx", addr, exec.Command(harness.Program(t, "nginx", "/usr/sbin/nginx"), "-c", config))
	return addr
}

// behindNginx runs a WSGI app in gunicorn behind nginx.
func behindNginx(t *testing.T, script string, _ ...string) string {
	t.Helper()
	return nginx(t, `
		proxy_buffer_size 32k;
		proxy_buffers 4 32k;
		location / { proxy_pass http://`+gunicorn(t, script)+`; }`)
}

// chromium are the headers of Chromium's requests.
var chromium = [][2]string{
	{"Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7"},
	{"Accept-Encoding", "gzip, deflate, br, zstd"}, {"Accept-Language", "en-US,en;q=0.9"}, {"Cache-Control", "max-age=0"},
	{"Sec-Ch-Ua", `"Chromium";v="140", "Not=A?Brand";v="24", "Google Chrome";v="140"`}, {"Sec-Ch-Ua-Mobile", "?0"}, {"Sec-Ch-Ua-Platform", `"Linux"`},
	{"Sec-Fetch-Dest", "document"}, {"Sec-Fetch-Mode", "navigate"}, {"Sec-Fetch-Site", "same-origin"}, {"Sec-Fetch-User", "?1"},
	{"Upgrade-Insecure-Requests", "1"},
	{"User-Agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"},
}

// Fault: a session exceeds the header limit of the backend's server, and its user can neither see a
// page nor log out.
func TestNobodyIsLockedIn(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		server func(*testing.T, string, ...string) string
		grow   string
		ours   int // least size of our headers, in bytes
		status int // the server's status for them
	}{
		"uwsgi, data":         {uwsgi, "data=3300", 3300, http.StatusBadGateway},
		"uwsgi, more data":    {uwsgi, "data=3900", 3900, http.StatusBadGateway},
		"gunicorn, data":      {gunicorn, "data=9000", 9000, http.StatusRequestHeaderFieldsTooLarge},
		"gunicorn, the vault": {gunicorn, "cookies=9&data=3900", 12900, http.StatusRequestHeaderFieldsTooLarge},
		"nginx, the vault":    {behindNginx, "cookies=9&data=3900", 12900, http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			script := filepath.Join(t.TempDir(), "growing.py")
			putFile(t, script, growingApp)
			addr := tt.server(t, script)
			options := `
			store memory
			secret $SECRET
			vault app*
			max_size 16000`
			c := start(t, globals()+`
http://$ADDR {
	handle /bounded* {
		session {`+options+`
			max_headers 1500
		}
		reverse_proxy `+addr+`
	}
	handle {
		session {`+options+`
		}
		reverse_proxy `+addr+`
	}
}`)
			b := visit(t, c)
			for _, header := range chromium {
				b = b.with(header[0], header[1])
			}
			const line = "the app refused a request, perhaps because its headers are too long"
			page := func(path string) (got struct{ X_SESSION_DATA, X_SESSION_INFO, COOKIE string }) { //nolint:revive // as WSGI names them
				t.Helper()
				if err := json.Unmarshal(b.get(path).want(http.StatusOK).body, &got); err != nil {
					t.Fatal(err)
				}
				return got
			}
			page("/?" + tt.grow)
			if strings.Contains(c.Log(), line) {
				t.Error("a successful request is in the log")
			}

			// Without max_headers the user is locked in, but the log says why.
			for _, path := range []string{"/", "/?logout"} {
				b.get(path).want(tt.status).keeps()
			}
			if !c.WaitLog(line) {
				t.Fatal("the log lacks the reason")
			}
			for entry := range strings.Lines(c.Log()) {
				if !strings.Contains(entry, line) {
					continue
				}
				var said struct {
					Status, Session_headers, All_headers int //nolint:revive // as in the log
				}
				if err := json.Unmarshal([]byte(entry), &said); err != nil {
					t.Fatal(err)
				}
				if said.Status != tt.status || said.Session_headers < tt.ours || said.Session_headers > tt.ours+500 || said.All_headers < said.Session_headers+600 {
					t.Errorf("the log has %+v", said)
				}
			}

			// With max_headers, the app works without the data and learns that it is missing.
			got := page("/bounded")
			if got.X_SESSION_DATA != "{}" || !strings.HasSuffix(got.X_SESSION_INFO, ", too-large") || got.COOKIE != "" {
				t.Errorf("with max_headers the app gets %+v", got)
			}
			if !c.WaitLog("the session's headers are longer than max_headers") {
				t.Error("the log does not say that the data was left out")
			}
			b.get("/bounded?logout=1").want(http.StatusOK).expires()
			if got := page("/"); got.X_SESSION_INFO != "exists=?0" {
				t.Errorf("after the logout: %+v", got)
			}
		})
	}
}
