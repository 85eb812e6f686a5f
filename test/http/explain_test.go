package http_test

import (
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/dunglas/httpsfv"

	"github.com/caddy-session/caddy-session/test/harness"
	"github.com/caddy-session/caddy-session/test/harness/faulty"
)

// explained returns X-Session-Explain without the time in the store, which must be there.
func explained(t *testing.T, r *reply) string {
	t.Helper()
	lines := r.Header["X-Session-Explain"]
	if lines == nil {
		return ""
	}
	dict, err := httpsfv.UnmarshalDictionary(lines)
	if err != nil || len(lines) != 1 {
		t.Fatalf("X-Session-Explain: %q: %v", lines, err)
	}
	took, _ := dict.Get("store-ms")
	if ms, ok := took.(httpsfv.Item).Value.(float64); !ok || ms < 0 {
		t.Errorf("X-Session-Explain: %q: no time", lines)
	}
	return regexp.MustCompile(`, store-ms=[\d.]+`).ReplaceAllString(lines[0], "")
}

func wantExplained(t *testing.T, r *reply, want string) {
	t.Helper()
	if got := explained(t, r); got != want {
		t.Errorf("X-Session-Explain: %q, want %q", got, want)
	}
}

const explaining = `
http://$ADDR {
	log
	session /* {
		store faulty $DIR/store
		secret $SECRET
		$OPTIONS
	}
	reverse_proxy /dead $DEAD
	reverse_proxy $BACKEND
}`

func TestExplain(t *testing.T) {
	t.Parallel()
	c := start(t, globals()+strings.Replace(explaining, "$OPTIONS", "explain on", 1))
	dir := filepath.Join(c.Dir, "store")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	b, control := visit(t, c), faulty.Control(dir)
	const name = `;name="caddy_session"`
	wantExplained(t, b.look(), "outcome=none, cookie=none"+name)
	wantExplained(t, b.change("update", `{"a":1}`), "outcome=none, commit=saved, cookie=set"+name)
	wantExplained(t, b.look(), "outcome=hit, cookie=kept"+name)
	wantExplained(t, b.holding("caddy_session=x").look(), "outcome=forged, cookie=kept"+name)
	wantExplained(t, b.ask("update", `{`).want(http.StatusBadGateway), "outcome=hit, commit=refused, cookie=kept"+name)
	wantExplained(t, b.get("/dead").want(http.StatusBadGateway), "outcome=hit, cookie=kept"+name)
	tell(t, control, faulty.Get, faulty.Fail)
	wantExplained(t, b.get("/").want(http.StatusServiceUnavailable), "outcome=unavailable, cookie=kept"+name)
	tell(t, control, faulty.Get, "")

	slow := b.hold("update", `{"b":1}`)
	wantExplained(t, b.change("control", "destroy"), "outcome=hit, commit=saved, cookie=deleted"+name)
	wantExplained(t, slow.release().want(http.StatusOK), "outcome=hit, commit=dropped, cookie=withheld"+name)
	checkQuiet(t, c, strings.Split(b.cookies(), "; ")...)
	if strings.Contains(c.Log(), "trailers") {
		t.Error("the handler took its own header for the app's")
	}
}

// Neither the app nor a client can send the header to the other.
func TestExplainIsNotForged(t *testing.T) {
	t.Parallel()
	for _, options := range []string{"explain on", ""} {
		c := start(t, globals()+strings.NewReplacer("/*", "/app/*", "faulty $DIR/store", "memory", "$OPTIONS", options).Replace(explaining))
		b := visit(t, c).via(func(w http.ResponseWriter, r *http.Request) {
			for name := range r.Header {
				if strings.Contains(strings.ToLower(name), "explain") {
					t.Errorf("the app got %s", name)
				}
			}
			w.Header().Set("X-Session-Explain", "forged")
			w.WriteHeader(http.StatusEarlyHints)
			w.Header().Set("X_Session_Explain", "forged")
			w.Header().Set("Trailer", "X-Session-Explain")
			_, _ = io.WriteString(w, "body")
			w.Header().Set(http.TrailerPrefix+"X-Session-Explain", "forged")
		}).with("X-Session-Explain", "forged").with("X.Session.Explain", "forged")
		for _, path := range []string{"/app/", "/elsewhere"} {
			r := b.get(path).want(http.StatusOK)
			for what, h := range map[string]http.Header{"header": r.Header, "trailer": r.Trailer} {
				for name, values := range h {
					if strings.Contains(strings.Join(values, ""), "forged") {
						t.Errorf("%q: %s: the client got the %s %s", options, path, what, name)
					}
				}
			}
			if shown := r.Header["X-Session-Explain"] != nil; shown != (options != "" && path == "/app/") {
				t.Errorf("%q: %s: explained: %t", options, path, shown)
			}
		}
	}
}

// Only clients in the named ranges see the header, by the address that Caddy finds. Behind a proxy
// that Caddy does not trust, everybody would have the address of the proxy.
func TestExplainOnlyToTheNamed(t *testing.T) {
	t.Parallel()
	const trusting = "servers {\n trusted_proxies static 127.0.0.1\n }"
	for _, test := range []struct {
		name, global, options string
		client                [2]string
		want                  bool
	}{
		{"the loopback", "", "explain on", [2]string{}, true},
		{"off", "", "explain off", [2]string{}, false},
		{"not among the named", "", "explain on 192.0.2.0/24 2001:db8::/32", [2]string{}, false},
		{"named", "", "explain on 192.0.2.0/24 127.0.0.1", [2]string{}, true},
		{"behind an unknown proxy", "", "explain on", [2]string{"X-Forwarded-For", "127.0.0.1"}, false},
		{"behind an unknown proxy that says nothing else", "", "explain on", [2]string{"Via", "1.1 proxy"}, false},
		{"behind a trusted proxy", trusting, "explain on 192.0.2.0/24", [2]string{"X-Forwarded-For", "192.0.2.7"}, true},
		{"another behind a trusted proxy", trusting, "explain on 192.0.2.0/24", [2]string{"X-Forwarded-For", "198.51.100.7"}, false},
		{"the trusted proxy itself", trusting, "explain on", [2]string{"X-Forwarded-For", "198.51.100.7"}, false},
		{"IPv6", trusting, "explain on 2001:db8::/32", [2]string{"X-Forwarded-For", "2001:db8::7"}, true},
		{"private", trusting, "explain on private_ranges", [2]string{"X-Forwarded-For", "10.1.2.3"}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := start(t, globals(test.global)+strings.NewReplacer("faulty $DIR/store", "memory", "$OPTIONS", test.options).Replace(explaining))
			b := visit(t, c)
			if test.client[0] != "" {
				b = b.with(test.client[0], test.client[1])
			}
			if shown := b.look().Header["X-Session-Explain"] != nil; shown != test.want {
				t.Errorf("explained: %t, want %t", shown, test.want)
			}
		})
	}
}

// A cookie that browsers refuse is a warning, once for each host.
func TestCookiesThatBrowsersRefuse(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, options, host string
		header              [2]string
		want                string
	}{
		{"another domain", "domain example.org", "www.example.com", [2]string{}, "its domain is not the host's"},
		{"the host's domain", "domain example.org", "www.example.org", [2]string{}, ""},
		{"Secure over http", "secure on", "www.example.com", [2]string{}, "it is Secure, and the request came over plain HTTP"},
		{"Secure on this machine", "secure on", "localhost", [2]string{}, ""},
		{"Secure behind a proxy with TLS", "secure on", "www.example.com", [2]string{"X-Forwarded-Proto", "https"}, ""},
		{"the app's SameSite=None", "pass_through on", "www.example.com", [2]string{"Set-Cookie", "caddy_session=x; SameSite=None"}, "it is SameSite=None and not Secure"},
		{"the app's own", "pass_through on", "www.example.com", [2]string{"Set-Cookie", "caddy_session=x"}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := harness.StartWith(t, func(c *harness.Caddy) string {
				_, port, _ := net.SplitHostPort(c.Addr)
				return expand(globals("http_port "+port, "default_bind 127.0.0.1") +
					"http:// {\n session {\n store memory\n secret $SECRET\n explain on\n cookie {\n " + test.options + "\n }\n }\n reverse_proxy $BACKEND\n}")
			})
			for _, host := range []string{test.host, test.host, "other." + test.host} {
				b := newBrowser(t, c.Addr, "http://"+host)
				if test.header[0] == "X-Forwarded-Proto" {
					b = b.with(test.header[0], test.header[1])
				}
				pairs := []string{"update", `{"a":1}`}
				if test.header[0] == "Set-Cookie" {
					pairs = append(pairs, test.header[:]...)
				}
				refused := strings.Contains(explained(t, b.change(pairs...)), "refused=")
				if refused != (test.want != "") {
					t.Errorf("%s: explained as refused: %t", host, refused)
				}
			}
			const message = "browsers refuse the session cookie, so that no session is found again"
			warned := reported(c, message, "reason")
			if test.want == "" && len(warned) > 0 || test.want != "" && (len(warned) != 2 || warned[0] != "="+test.want) {
				t.Errorf("warned of %q", warned)
			}
		})
	}
}
