package http_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/test/docs"
	"github.com/caddy-session/caddy-session/test/harness"
)

// haproxy runs HAProxy, which responds itself, until the test ends.
func haproxy(t *testing.T, options ...string) string {
	t.Helper()
	addr, config := harness.FreeAddr(t), filepath.Join(t.TempDir(), "haproxy.cfg")
	putFile(t, config, "global\n"+strings.Join(options, "\n")+`
defaults
	mode http
	timeout client 10s
	timeout connect 10s
	timeout server 10s
frontend all
	bind `+addr+`
	http-request return status 200
`)
	harness.Serve(t, "haproxy", addr, exec.Command(harness.Program(t, "haproxy", "/usr/sbin/haproxy"), "-db", "-f", config))
	return addr
}

// apache runs Apache, which responds with 403, until the test ends.
func apache(t *testing.T, options ...string) string {
	t.Helper()
	addr, dir := harness.FreeAddr(t), t.TempDir()
	config := filepath.Join(dir, "apache2.conf")
	putFile(t, config, fmt.Sprintf(`ServerName localhost
ServerRoot %[1]s
PidFile %[1]s/pid
ErrorLog %[1]s/errors
Listen %[2]s
User www-data
Group www-data
Mutex posixsem
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
<Location />
	Require all denied
</Location>
%[3]s
`, dir, addr, strings.Join(options, "\n")))
	harness.Serve(t, "apache2", addr, exec.Command(harness.Program(t, "apache2", "/usr/sbin/apache2"), "-D", "FOREGROUND", "-f", config))
	return addr
}

// nodeHTTP runs a plain Node server until the test ends.
func nodeHTTP(t *testing.T, options ...string) string {
	t.Helper()
	addr := harness.FreeAddr(t)
	host, port, _ := net.SplitHostPort(addr)
	code := fmt.Sprintf(`require("http").createServer((request, response) => response.end()).listen(%s, %q)`, port, host)
	harness.Serve(t, "node", addr, exec.Command(harness.Node(t), append(options, "-e", code)...))
	return addr
}

// wsgiScript writes a WSGI app to a file.
func wsgiScript(t *testing.T) string {
	script := filepath.Join(t.TempDir(), "growing.py")
	putFile(t, script, growingApp)
	return script
}

// configFile writes a line of configuration to a file.
func configFile(t *testing.T, line string) string {
	path := filepath.Join(t.TempDir(), "config.toml")
	putFile(t, path, line+"\n")
	return path
}

// limited are the servers in the documentation's table: with defaults, and configured for headers
// of 20,000 bytes.
var limited = map[string]func(t *testing.T, raised bool) string{
	"uWSGI": func(t *testing.T, raised bool) string {
		return uwsgi(t, wsgiScript(t), when(raised, "--buffer-size", "32768")...)
	},
	"gunicorn": func(t *testing.T, raised bool) string {
		return gunicorn(t, wsgiScript(t), when(raised, "--limit-request-field_size", "32768")...)
	},
	"lighttpd": func(t *testing.T, raised bool) string {
		return lighttpd(t, when(raised, "server.max-request-field-size = 32768")...)
	},
	"Apache": func(t *testing.T, raised bool) string {
		return apache(t, when(raised, "LimitRequestFieldSize 32768")...)
	},
	"nginx": func(t *testing.T, raised bool) string {
		return nginx(t, strings.Join(append(when(raised, "large_client_header_buffers 4 32k;"), "location / { return 204; }"), "\n"))
	},
	"Varnish": func(t *testing.T, raised bool) string {
		return varnish(t, backend(), when(raised, "-p", "http_req_hdr_len=24k", "-p", "http_req_size=48k")...)
	},
	"HAProxy": func(t *testing.T, raised bool) string { return haproxy(t, when(raised, "tune.bufsize 65536")...) },
	"Node": func(t *testing.T, raised bool) string {
		return nodeHTTP(t, when(raised, "--max-http-header-size=32768")...)
	},
	"Hypercorn": func(t *testing.T, raised bool) string {
		if raised {
			return hypercorn(t, "--config", configFile(t, "h11_max_incomplete_size = 131072"))
		}
		return hypercorn(t)
	},
}

func when(raised bool, options ...string) []string {
	if raised {
		return options
	}
	return nil
}

var limitRow = regexp.MustCompile(`(?m)^\| (\S+) \| (\d+) \| (\d+|100 headers) \| .* \|$`)

// TestHeaderLimitsOfServers measures the limits that the documentation gives for servers, and
// checks that its settings raise them.
func TestHeaderLimitsOfServers(t *testing.T) {
	t.Parallel()
	table := docs.Between(t, "| server | one header | all headers |", "\n\n")
	rows := limitRow.FindAllStringSubmatch(table, -1)
	if len(rows) != len(limited) {
		t.Fatalf("the table in the docs has %d rows, want %d", len(rows), len(limited))
	}
	for _, row := range rows {
		t.Run(row[1], func(t *testing.T) {
			t.Parallel()
			addr := limited[row[1]](t, false)
			one := largest(func(n int) bool { return taken(t, addr, oneHeader(n)) })
			all := largest(func(n int) bool { return taken(t, addr, manyHeaders(n)) })
			t.Logf("one header of %d bytes, %d bytes of many", one, all)
			compare(t, "one header", one, row[2])
			compare(t, "all headers", all, row[3])
			const raised = 20_000
			if one < raised && !taken(t, limited[row[1]](t, true), oneHeader(raised)) {
				t.Errorf("the documented setting does not allow a header of %d bytes", raised)
			}
		})
	}
}

// compare compares a size with the documentation. The rest of the request counts in the limit for
// all headers.
func compare(t *testing.T, what string, size int, says string) {
	t.Helper()
	limit, err := strconv.Atoi(says)
	if err != nil {
		limit = mostHeaders // a limit on the number of lines
	}
	if size < limit-limit/16 || size > limit+limit/128 {
		t.Errorf("%s: %d bytes, docs say %s", what, size, says)
	}
}

// mostHeaders exceeds the default of every server that limits bytes.
const mostHeaders = 90_000

// largest returns the largest accepted size.
func largest(taken func(int) bool) int {
	low, high := 0, mostHeaders+1
	for high-low > 1 {
		if middle := (low + high) / 2; taken(middle) {
			low = middle
		} else {
			high = middle
		}
	}
	return low
}

// oneHeader returns a header line of n bytes.
func oneHeader(n int) string {
	const name, end = "X-Session-Data: ", "\r\n"
	return name + strings.Repeat("x", max(0, n-len(name)-len(end))) + end
}

// manyHeaders returns header lines of n bytes in total.
func manyHeaders(n int) string {
	var b strings.Builder
	for i := 0; n > 0; i++ {
		name := fmt.Sprintf("X-Header-%03d: ", i)
		size := min(n, 1000)
		b.WriteString(name + strings.Repeat("x", max(0, size-len(name)-2)) + "\r\n")
		n -= size
	}
	return b.String()
}

// taken reports whether a server responds as it does without these headers, at each of three times:
// Hypercorn takes more of a request that it reads at once, as a busy machine may have it do.
func taken(t *testing.T, addr, headers string) bool {
	t.Helper()
	usual := statusFor(t, addr, "")
	for range 3 {
		if statusFor(t, addr, headers) != usual {
			return false
		}
	}
	return true
}

// statusFor returns the status of the response, or 0 without one. As over a network, the end of the
// request comes later than its beginning.
func statusFor(t *testing.T, addr, headers string) int {
	t.Helper()
	conn, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"+headers) // it may respond before the end
	time.Sleep(20 * time.Millisecond)
	_, _ = io.WriteString(conn, "\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}
