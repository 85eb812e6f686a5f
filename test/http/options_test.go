package http_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/quic-go/quic-go/http3"
)

var cookieOptions = newSite("www.options", `
	session {
		store memory
		secret $SECRET
		header_prefix X-My-
		vary off
		cookie {
			name sid
			domain options.test
			path /app
			same_site strict
			secure off
			http_only off
			permanent off
		}
	}
	reverse_proxy $BACKEND`)

func TestCookieOptions(t *testing.T) {
	t.Parallel()
	b := cookieOptions.browser(t)
	r := b.get(ask("/app/", "X-My-Update", `{"a":1}`)).want(http.StatusOK)
	if r.Header["Vary"] != nil || r.Header["X-My-Update"] != nil {
		t.Errorf("head %v", r.Header)
	}
	lines := r.Header["Set-Cookie"]
	if len(lines) != 1 || !strings.HasSuffix(lines[0], "; Path=/app; Domain=options.test; SameSite=Strict") {
		t.Fatalf("Set-Cookie %q", lines)
	}
	if r.given("X-My-Data") != "{}" || r.given("X-My-Info") != "exists=?0" {
		t.Errorf("the backend got %v", r.sent().Header)
	}
	if got := b.get("/app/").given("X-My-Data"); got != `{"a":1}` {
		t.Errorf("data %s", got)
	}
	// Nothing uses the default prefix now.
	if r := b.get(ask("/app/", "update", `{"b":1}`)).keeps(); r.Header.Get("X-Session-Update") == "" {
		t.Error("a header with another prefix was applied")
	}
	if c := b.get(ask("/app/", "X-My-Control", "permanent")).cookieNamed("sid"); c == nil || c.MaxAge < 744*3600-60 {
		t.Errorf("permanent: %v", c)
	}
	// The cookie that deletes ours must have the same attributes.
	r = b.get(ask("/app/", "X-My-Control", "destroy"))
	if lines := r.Header["Set-Cookie"]; len(lines) != 1 || lines[0] != "sid=; Path=/app; Domain=options.test; Expires=Thu, 01 Jan 1970 00:00:01 GMT; Max-Age=0; SameSite=Strict" {
		t.Errorf("Set-Cookie %q", lines)
	}
	if got := b.get("/app/").given("X-My-Data"); got != "{}" {
		t.Errorf("data %s", got)
	}
}

// secure auto believes a proxy only if it is trusted.
func TestSecureBehindAProxy(t *testing.T) {
	t.Parallel()
	for trusted, options := range map[bool]string{true: "servers {\n trusted_proxies static 127.0.0.0/8\n }", false: ""} {
		t.Run(fmt.Sprint("trusted ", trusted), func(t *testing.T) {
			t.Parallel()
			b := visit(t, start(t, globals(options)+"http://$ADDR {\n session {\n store memory\n secret $SECRET\n }\n reverse_proxy $BACKEND\n}\n"))
			for protos, secure := range map[string]bool{
				"https": trusted, "HTTPS": trusted, "http": false, "": false, "https, http": trusted, "http, https": false,
				"http\nhttps": trusted, "https\nhttp": false, "http\nhttps, http": trusted,
			} {
				b := b.bare()
				for proto := range strings.SplitSeq(protos, "\n") { // one header line each
					b = b.with("X-Forwarded-Proto", proto)
				}
				if c := b.change("update", `{"a":1}`).issues(); c.Secure != secure || strings.HasPrefix(c.Name, "__Host-") != secure {
					t.Errorf("X-Forwarded-Proto: %q: %s", protos, c)
				}
			}
		})
	}
}

func TestHTTP3(t *testing.T) {
	t.Parallel()
	_, b, config := secure(t, `
	session {
		store memory
		secret $SECRET
	}
	reverse_proxy $BACKEND
	handle_errors {
		respond "sorry {err.status_code}"
	}`)
	transport := &http3.Transport{TLSClientConfig: config.Clone()}
	t.Cleanup(func() { _ = transport.Close() })
	b.client.Transport = transport
	var r *reply
	eventually(t, "HTTP/3 works", func() bool {
		var err error
		r, err = b.try(b.request(http.MethodGet, ask("/", "update", `{"a":1}`), nil))
		return err == nil
	})
	if r.ProtoMajor != 3 {
		t.Fatalf("HTTP/%d", r.ProtoMajor)
	}
	if c := r.want(http.StatusOK).hides().issues(); !c.Secure || c.Name != "__Host-caddy_session" {
		t.Errorf("cookie %s", c)
	}
	b.with("X-Session-Data", forgery).with("Connection", "X-Session-Data").look().holds(`{"a":1}`)
	for _, size := range []int{0, 10, 1 << 20} {
		r := b.via(func(w http.ResponseWriter, r *http.Request) {
			refusedHeaders(w)
			_, _ = w.Write(make([]byte, size))
		}).get("/").want(http.StatusBadGateway).hides().keeps()
		if string(r.body) != "sorry 502" || r.Header["Etag"] != nil {
			t.Errorf("refused: %v %.100q", r.Header, r.body)
		}
	}
	b.via(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Session-Update, X-Ok")
		_, _ = w.Write([]byte("body"))
		w.Header().Set("X-Session-Update", `{"b":1}`)
		w.Header().Set("X-Ok", "1")
	}).get("/").want(http.StatusOK).hides()
	b.look().holds(`{"a":1}`)
	b.change("control", "destroy").expires()
}

// The inner handler refuses, so the outer one must save nothing.
func TestTwoNamesChangeTogether(t *testing.T) {
	t.Parallel()
	for _, pairs := range [][]string{
		{"update", `{"a":2}`, "X-Session-Shop-Update", "{"},
	} {
		b := twoNames.browser(t)
		b.change("update", `{"a":1}`, "X-Session-Shop-Update", `{"a":1}`)
		b.ask(pairs...).want(http.StatusBadGateway).keeps().hides()
		if r := b.look().holds(`{"a":1}`); r.given("X-Session-Shop-Data") != `{"a":1}` {
			t.Errorf("%q: half of it was applied: %s", pairs, r.given("X-Session-Shop-Data"))
		}
	}
}

var huge = newSite("huge", sized(245760))

func TestLargestSession(t *testing.T) {
	t.Parallel()
	b := huge.browser(t)
	b.change("update", text(245760), "flash", `"`+strings.Repeat("x", 3900)+`"`)
	b.look().holds(text(245760))
	b.refuses(http.StatusBadGateway, "update", text(245761))
	b.change("update", `{"a":1}`)
	padded := func(size int) string { return `{` + strings.Repeat(" ", size-len(`{"a":2}`)) + `"a":2}` }
	b.refuses(http.StatusBadGateway, "update", padded(256<<10+1))
	b.change("update", padded(256<<10))
	b.refuses(http.StatusBadGateway, "control", "permanent;x="+strings.Repeat("x", 256<<10+1-len("permanent;x=")))
	b.change("control", "permanent;x="+strings.Repeat("x", 256<<10-len("permanent;x=")))
}
