package http_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/net/http2"
)

// spellings returns forms of a header's name that some server may read as that header.
func spellings(name string) []string {
	mixed := []byte(name)
	for i, c := range mixed {
		switch {
		case c == '-':
			mixed[i] = "-_."[i%3]
		case i%2 == 0:
			mixed[i] = strings.ToUpper(string(c))[0]
		default:
			mixed[i] = strings.ToLower(string(c))[0]
		}
	}
	under, dots := strings.ReplaceAll(name, "-", "_"), strings.ReplaceAll(name, "-", ".")
	return []string{
		name, strings.ToLower(name), strings.ToUpper(name), under, strings.ToLower(under), strings.ToUpper(under), dots, strings.ToLower(dots),
		strings.Replace(name, "-", "_", 1), strings.Replace(name, "-", ".", 1), string(mixed), strings.ReplaceAll(name, "-", "^"),
	}
}

// ours are the headers that a client must not send; injected are those that are injected.
var (
	ours     = []string{"X-Session-Data", "X-Session-Info", "X-Session-Flash", "X-Session-Update", "X-Session-Control"}
	injected = append([]string{"X-User", "X-Label"}, ours...)
)

var (
	guarded = newSite("guarded", `
	@fcgi path /fcgi
	session {
		store memory
		secret $SECRET
		inject X-User user
		inject X-Label "{http.session.data.user} at {http.request.host}"
	}
	reverse_proxy @fcgi $FCGI {
		transport fastcgi
	}
	reverse_proxy $BACKEND`)
	matched = newSite("matched", `
	session /app/* {
		store memory
		secret $SECRET
		inject X-User user
		inject X-Label "{http.session.data.user} at {http.request.host}"
	}
	reverse_proxy $BACKEND`)
	matchedBlock = newSite("matchedblock", `
	@not {
		not path /other*
		header X-Please *
	}
	session @not {
		store memory
		secret $SECRET
		inject X-User user
		inject X-Label "{http.session.data.user} at {http.request.host}"
	}
	reverse_proxy $BACKEND`)
)

// rawSent sends a raw request and returns what the backend got.
func rawSent(b *browser, request string) *reply {
	b.t.Helper()
	text := b.raw(request)
	resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(text)), nil)
	if err != nil {
		b.t.Fatalf("%q: %v", text, err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	resp.Request = b.request(http.MethodGet, "/raw", nil)
	return &reply{t: b.t, Response: resp, body: body}
}

// forgery is a value that no session has.
const forgery = "FORGED"

// checkClean fails the test if the backend got a forgery, or not these data.
func checkClean(r *reply, data string) {
	r.t.Helper()
	if r.StatusCode != http.StatusOK {
		r.t.Errorf("status %d", r.StatusCode)
		return
	}
	sent := r.sent()
	for where, h := range map[string]http.Header{"header": sent.Header, "trailer": sent.Trailer} {
		for name, values := range h {
			if strings.Contains(strings.Join(values, ""), forgery) {
				r.t.Errorf("the backend got the %s %s: %q", where, name, values)
			}
		}
	}
	if data != "" {
		r.holds(data)
		if !strings.HasPrefix(r.given("X-Session-Info"), "exists") {
			r.t.Errorf("X-Session-Info: %q", r.given("X-Session-Info"))
		}
	}
}

func TestAttackForgedHeaders(t *testing.T) {
	t.Parallel()
	b := guarded.browser(t)
	b.change("update", `{"user":"zoe"}`)
	for _, name := range injected {
		for _, spelling := range spellings(name) {
			for _, path := range []string{"/", "/fcgi"} {
				for cookie, data := range map[string]string{"": "{}", b.cookies(): `{"user":"zoe"}`} {
					head := "Host: guarded.test\r\n"
					if cookie != "" {
						head += "Cookie: " + cookie + "\r\n"
					}
					r := rawSent(b, "GET "+path+" HTTP/1.1\r\n"+head+spelling+": "+forgery+"\r\n"+spelling+": "+forgery+"2\r\nConnection: close\r\n\r\n")
					checkClean(r, data)
					label := map[bool]string{true: "zoe at guarded.test"}[cookie != ""]
					if want := map[bool]string{true: "zoe"}[cookie != ""]; r.given("X-User") != want || r.given("X-Label") != label {
						t.Errorf("%s: X-User %q, X-Label %q", spelling, r.given("X-User"), r.given("X-Label"))
					}
				}
			}
		}
	}
}

func TestAttackForgedTrailers(t *testing.T) {
	t.Parallel()
	b := guarded.browser(t)
	b.change("update", `{"user":"zoe"}`)
	for _, announced := range []bool{true, false} {
		for _, s := range []*site{guarded, matched, matchedBlock} {
			var announce, trailers strings.Builder
			for _, name := range injected {
				for _, spelling := range spellings(name) {
					fmt.Fprintf(&announce, "Trailer: %s\r\n", spelling)
					fmt.Fprintf(&trailers, "%s: %s\r\n", spelling, forgery)
				}
			}
			announce.WriteString("Trailer: Cookie\r\n")
			trailers.WriteString("Cookie: caddy_session=" + forgery + "\r\n")
			if !announced {
				announce.Reset()
				announce.WriteString("Trailer: X-Checksum\r\n")
			}
			r := rawSent(b, "POST /other HTTP/1.1\r\nHost: "+s.host+"\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n"+
				announce.String()+"\r\n4\r\nbody\r\n0\r\n"+trailers.String()+"X-Checksum: abc\r\n\r\n")
			checkClean(r, "")
			if sent := r.sent(); sent.Body != "body" || !announced && sent.Trailer.Get("X-Checksum") != "abc" {
				t.Errorf("announced %t: the backend got %q and %v", announced, sent.Body, sent.Trailer)
			}
		}
	}
}

// A client's Connection header makes a proxy remove the named headers from the request.
func TestAttackConnectionTokens(t *testing.T) {
	t.Parallel()
	b := guarded.browser(t)
	b.change("update", `{"user":"zoe"}`, "flash", `"x"`)
	check := func(lines string) {
		t.Helper()
		r := rawSent(b, "GET / HTTP/1.1\r\nHost: guarded.test\r\nX-Other: 1\r\nCookie: a=1; "+b.cookies()+"; b=2\r\n"+lines+"\r\n")
		checkClean(r, `{"user":"zoe"}`)
		if r.given("X-User") != "zoe" || r.given("X-Label") != "zoe at guarded.test" || r.given("X-Session-Flash") != `[["message","x"]]` || r.given("Cookie") != "a=1; b=2" || !r.info().exists {
			t.Errorf("after %q the backend got %v", lines, r.sent().Header)
		}
	}
	check("Connection: close, Cookie\r\n")
	for _, name := range append([]string{"Cookie"}, injected...) {
		for _, token := range spellings(name) {
			check("Connection: close, " + token + "\r\n")
			check("Connection: close\r\nConnection: ," + token + " ,,\r\n")
			check("connection:\t" + token + "\t,close\r\n")
			check("CONNECTION: close," + token + ";q=1, " + token + "\r\n")
		}
	}
	// Other headers that the client names are still hop-by-hop.
	r := rawSent(b, "GET / HTTP/1.1\r\nHost: guarded.test\r\nX-Other: 1\r\nConnection: close, X-Other, X-Session-Data\r\n\r\n")
	if r.sent().Header["X-Other"] != nil {
		t.Error("Connection no longer works")
	}
}

// Requests outside of the directive's matcher are cleaned, too.
func TestAttackForgedHeadersBesideTheMatcher(t *testing.T) {
	t.Parallel()
	for _, s := range []*site{matched, matchedBlock} {
		b := s.browser(t).bare()
		inside := b.with("X-Please", "1").get("/app/x").want(http.StatusOK).holds("{}")
		if inside.Header.Get("Vary") != "Cookie" {
			t.Error("no session inside")
		}
		for _, name := range injected {
			for _, spelling := range spellings(name) {
				r := rawSent(b, "GET /other HTTP/1.1\r\nHost: "+s.host+"\r\n"+spelling+": "+forgery+"\r\nConnection: close\r\n\r\n")
				checkClean(r, "")
				for name := range r.sent().Header {
					if strings.HasPrefix(name, "X-Session") {
						t.Errorf("%s outside of the matcher", name)
					}
				}
			}
		}
		// There the backend does not get our cookie, and its session headers do not reach the
		// client.
		r := b.holding("a=1; caddy_session=x.y; b=2").get(ask("/other", "update", `{"a":1}`, "control", "destroy", "flash", `"x"`, "Set-Cookie", "caddy_session=evil")).
			want(http.StatusOK).keeps().hides()
		if r.Header["Vary"] != nil {
			t.Error("Vary outside of the matcher")
		}
		if r.given("Cookie") != "a=1; b=2" {
			t.Errorf("outside of the matcher, the backend got the cookies %q", r.given("Cookie"))
		}
	}
}

// Caddy drops names with _ and . itself, unless it is configured to accept them.
func TestAttackExpectedUnderscoreHeaders(t *testing.T) {
	t.Parallel()
	under, dots := []string{"X_Other"}, []string{"X.Other"}
	for _, name := range injected {
		under = append(under, strings.ReplaceAll(name, "-", "_"), strings.Replace(name, "-", "_", 1))
		dots = append(dots, strings.ReplaceAll(name, "-", "."), strings.Replace(name, "-", ".", 1))
	}
	for name, server := range map[string]struct {
		option string
		names  []string
	}{
		"underscores": {"expected_underscore_headers", under},
		"dots":        {"expected_dot_headers", dots},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := start(t, globals("servers {\n"+server.option+" "+strings.Join(server.names, " ")+"\n}")+`
http://$ADDR {
	session /app/* {
		store memory
		secret $SECRET
		inject X-User user
		inject X-Label "{http.session.data.user} at {http.request.host}"
	}
	reverse_proxy /app/fcgi $FCGI {
		transport fastcgi
	}
	reverse_proxy $BACKEND
}`)
			b := visit(t, c)
			if sent := b.with(server.names[0], "1").get("/other").sent(); len(sent.Header[http.CanonicalHeaderKey(server.names[0])]) == 0 {
				t.Fatalf("Caddy drops them: %v", sent.Header)
			}
			b.get(ask("/app/", "update", `{"user":"zoe"}`)).issues()
			for _, name := range server.names[1:] {
				for _, path := range []string{"/app/", "/app/fcgi", "/other"} {
					data := map[bool]string{true: `{"user":"zoe"}`}[path != "/other"]
					checkClean(b.with(name, forgery).get(path), data)
				}
			}
		})
	}
}

func TestAttackForgedHeadersOverHTTP2(t *testing.T) {
	t.Parallel()
	_, b, config := secure(t, `
	session {
		store memory
		secret $SECRET
		inject X-User user
		inject X-Label "{http.session.data.user} at {http.request.host}"
	}
	reverse_proxy $BACKEND`)
	b.change("update", `{"user":"zoe"}`)
	transport := &http2.Transport{TLSClientConfig: config}
	defer transport.CloseIdleConnections()
	r := b.request(http.MethodPost, "/", io.MultiReader(strings.NewReader("body")))
	r.Header.Set("Cookie", b.cookies())
	r.Trailer = http.Header{"X-Checksum": {"abc"}}
	for _, name := range injected {
		for _, spelling := range spellings(name) {
			r.Header[spelling] = []string{forgery}
			r.Trailer[spelling] = []string{forgery}
		}
	}
	resp, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got := &reply{t: t, Response: resp}
	got.body, _ = io.ReadAll(resp.Body)
	checkClean(got, `{"user":"zoe"}`)
	if sent := got.sent(); sent.Trailer.Get("X-Checksum") != "abc" || got.given("X-User") != "zoe" {
		t.Errorf("the backend got %v and %v", sent.Header, sent.Trailer)
	}
}

// None of our headers passes in trailers or 1xx responses, even outside of the matcher.
func TestAttackCookiesInTrailers(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]*site{"session": rawSite, "beside the matcher": rawBeside} {
		for _, announce := range []string{"", "Trailer: Set-Cookie, X-Session-Update, X-Ok\r\n"} {
			text := s.browser(t).via(rawText("HTTP/1.1 103 Early Hints\r\nSet-Cookie: caddy_session=EVIL\r\nX-Session-Update: {}\r\nLink: </x>\r\n\r\n" +
				"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + announce + "\r\n4\r\nbody\r\n0\r\n" +
				"Set-Cookie: caddy_session=EVIL\r\nX-Session-Update: {}\r\nX-Ok: 1\r\n\r\n")).rawGet("/raw")
			if strings.Contains(text, "EVIL") || strings.Contains(text, "X-Session") || !strings.Contains(text, "103 Early Hints") || !strings.Contains(text, "\r\nX-Ok: 1") {
				t.Errorf("%s: the client got %q", name, text)
			}
		}
	}
}

var rawBeside = newSite("rawbeside", `
	session /app/* {
		store memory
		secret $SECRET
	}
	reverse_proxy $RAW {
		flush_interval -1
	}`)

var rawSite = newSite("raw", `
	session {
		store memory
		secret $SECRET
		capture X-Login user
		capture X-Theme theme
	}
	@look path /
	reverse_proxy @look $BACKEND
	reverse_proxy $RAW {
		flush_interval -1
	}`)

// rawGet sends a request and returns the raw response.
func (b *browser) rawGet(path string) string {
	b.t.Helper()
	head := "GET " + path + " HTTP/1.1\r\nHost: " + strings.TrimPrefix(b.base, "http://") + "\r\nConnection: close\r\nTE: trailers\r\n"
	for name, values := range b.header {
		head += name + ": " + values[0] + "\r\n"
	}
	return b.raw(head + "\r\n")
}

// None of our response headers reaches a client, in 1xx responses, the final head or trailers, in
// any spelling.
func TestAttackResponseHeadersReachTheClient(t *testing.T) {
	t.Parallel()
	var misspelt strings.Builder
	for _, name := range []string{"X-Login", "X-Theme", "X-Session-Update", "X-Session-Flash", "X-Session-Control"} {
		for _, spelling := range spellings(name) {
			if strings.ContainsAny(spelling, "_.") {
				fmt.Fprintf(&misspelt, "%s: %q\r\n", spelling, forgery)
			}
		}
	}
	head := misspelt.String()
	b := rawSite.browser(t)
	text := b.via(rawText("HTTP/1.1 103 Early Hints\r\n" + head + "x-session-update: {\"early\":1}\r\nX-LOGIN: early\r\nLink: </x>\r\n\r\n" +
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Session-Update, X-Login\r\nTrailer: x_session_update,X-Ok\r\n" + head +
		"X-SESSION-UPDATE: {\"a\":1}\r\nx-session-flash: \"f\"\r\nx-LOGIN: zoe\r\n\r\n4\r\nbody\r\n0\r\n" + head +
		"X-Session-Update: {\"trailer\":1}\r\nX-Login: trailer\r\nX-Ok: 1\r\n\r\n")).rawGet("/raw")
	folded := strings.NewReplacer("_", "-", ".", "-").Replace(strings.ToLower(text))
	for _, bad := range []string{"x-session", "x-login", "x-theme", strings.ToLower(forgery), "early\":1"} {
		if strings.Contains(folded, bad) {
			t.Errorf("the client got %s in %q", bad, text)
		}
	}
	if !strings.Contains(text, "103 Early Hints") || !strings.Contains(text, "\r\nX-Ok: 1") {
		t.Errorf("the client got %q", text)
	}
	_, cookie, _ := strings.Cut(text, "Set-Cookie: ")
	cookie, _, _ = strings.Cut(cookie, ";")
	b.holding(cookie).look().holds(`{"user":"zoe","a":1}`).flashes(`[["message","f"]]`)
}
