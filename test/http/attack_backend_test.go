package http_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// survives fails the test unless the backend's response is refused as invalid, in a short time,
// with no part forwarded.
func survives(b *browser, h any) {
	b.t.Helper()
	before := b.look().given("X-Session-Data")
	began := time.Now()
	r := b.via(h).get("/raw").keeps().hides()
	if r.StatusCode != http.StatusBadGateway {
		b.t.Errorf("status %d", r.StatusCode)
	}
	if len(r.body) > 0 || r.Header["Etag"] != nil {
		b.t.Errorf("from a refused response, the client got %v %.100q", r.Header, r.body)
	}
	if took := time.Since(began); took > 10*time.Second {
		b.t.Errorf("it took %s", took)
	}
	b.look().holds(before)
}

// manyLines returns a response head with a header many times.
func manyLines(n int, line string) string {
	return "HTTP/1.1 200 OK\r\nEtag: \"x\"\r\n" + strings.Repeat(line+"\r\n", n) + "Content-Length: 6\r\n\r\nSECRET"
}

func TestAttackHostileResponse(t *testing.T) {
	t.Parallel()
	mega := strings.Repeat("x", 1<<20)
	for name, text := range map[string]string{
		"a 1 MiB update":            manyLines(1, `X-Session-Update: {"a":"`+mega+`"}`),
		"a 1 MiB flash":             manyLines(1, `X-Session-Flash: "`+mega+`"`),
		"a 1 MiB control":           manyLines(1, `X-Session-Control: regenerate;x="`+mega+`"`),
		"1 MiB of control members":  manyLines(1, "X-Session-Control: "+strings.Repeat("a,", 1<<19)+"a"),
		"1 MiB of spaces":           manyLines(1, "X-Session-Update: {"+strings.Repeat(" ", 1<<20)),
		"many values in a line":     manyLines(1, "X-Session-Update: "+strings.Repeat("{},", 80000)+"{"),
		"many flashes in a line":    manyLines(1, "X-Session-Flash: "+strings.Repeat(`"",`, 80000)+"1"),
		"10,000 headers":            manyLines(10000, `X-Session-Update: {"a":1}`),
		"10,000 flashes":            manyLines(10000, `X-Session-Flash: "x"`),
		"10,000 controls":           manyLines(10000, `X-Session-Control: permanent`),
		"10,000 captured":           manyLines(10000, `X-Login: x`),
		"objects 100,000 deep":      manyLines(1, "X-Session-Update: "+strings.Repeat(`{"a":`, 100000)+"1"+strings.Repeat("}", 100000)),
		"arrays 100,000 deep":       manyLines(1, `X-Session-Update: {"a":`+strings.Repeat("[", 100000)+strings.Repeat("]", 100000)+"}"),
		"open arrays":               manyLines(1, `X-Session-Update: `+strings.Repeat("[", 200000)),
		"inner lists":               manyLines(1, `X-Session-Control: flash-seen=(`+strings.Repeat("(", 100000)),
		"a deep flash":              manyLines(1, `X-Session-Flash: `+strings.Repeat("[", 100000)+strings.Repeat("]", 100000)),
		"duplicate keys":            manyLines(1, `X-Session-Update: {"user":"a","x":{"y":1,"z":2,"y":1}}`),
		"duplicate keys, escaped":   manyLines(1, `X-Session-Update: {"user":"a","\u0075ser":"b"}`),
		"half a surrogate pair":     manyLines(1, `X-Session-Update: {"a":"\ud800"}`),
		"the other half, in a name": manyLines(1, `X-Session-Update: {"\udc00":1}`),
		"a huge exponent":           manyLines(1, `X-Session-Update: [{"op":"increment","path":"/n","value":1e999999999}]`),
		"a huge stored exponent":    manyLines(1, `X-Session-Update: {"n":1e999999999},[{"op":"increment","path":"/n","value":1}]`),
		"a huge number":             manyLines(1, `X-Session-Update: {"n":`+strings.Repeat("9", 200000)+"}"),
		"doubling copies":           manyLines(1, `X-Session-Update: [{"op":"add","path":"/a","value":"`+strings.Repeat("x", 100)+`"}`+strings.Repeat(`,{"op":"copy","from":"","path":"/b"}`, 255)+"]"),
		"doubling copies in lines":  manyLines(64, `X-Session-Update: [{"op":"add","path":"/a","value":[]}`+strings.Repeat(`,{"op":"copy","from":"/a","path":"/a/-"}`, 255)+"]"),
		"wide lines":                manyLines(64, `X-Session-Update: {`+strings.TrimSuffix(strings.Repeat(`"a":{},`, 20000), ",")+`}`),
		"a pointer of 100,000":      manyLines(1, `X-Session-Update: [{"op":"add","path":"`+strings.Repeat("/a", 100000)+`","value":1}]`),
		"an idle timeout too long":  manyLines(1, `X-Session-Control: idle-timeout=99999999999999999999`),
		"a control of many dates":   manyLines(1, `X-Session-Control: destroy=@99999999999999999999`),
		"base64 without its option": manyLines(1, `X-Session-Update: e30=`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := rawSite.browser(t)
			b.change("update", `{"before":1}`)
			survives(b, rawText(text))
		})
	}
}

// Large but valid changes are applied in reasonable time.
func TestAttackSlowChanges(t *testing.T) {
	t.Parallel()
	keys := make(map[string]int)
	for i := range 12000 {
		keys[fmt.Sprintf("k%d", i)] = i
	}
	wide, _ := json.Marshal(keys)
	for name, text := range map[string]string{
		"64 wide lines":        manyLines(64, "X-Session-Update: "+string(wide)),
		"many patches in 64":   manyLines(64, "X-Session-Update: "+strings.TrimSuffix(strings.Repeat(increment+",", 600), ",")),
		"many merges in 64":    manyLines(64, "X-Session-Update: "+strings.TrimSuffix(strings.Repeat(`{"a":{"b":{"c":1}}},`, 1500), ",")),
		"many flashes in 64":   manyLines(64, "X-Session-Flash: "+strings.TrimSuffix(strings.Repeat(`"x",`, 8000), ",")),
		"big increments":       manyLines(64, `X-Session-Update: [`+strings.TrimSuffix(strings.Repeat(`{"op":"increment","path":"/n","value":1e32},{"op":"increment","path":"/n","value":-1e-32},`, 128), ",")+"]"),
		"tests of big numbers": manyLines(64, `X-Session-Update: {"n":1e999999999},[`+strings.TrimSuffix(strings.Repeat(`{"op":"test","path":"/n","value":1e999999999},`, 256), ",")+"]"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := rawSite.browser(t)
			began := time.Now()
			r := b.via(rawText(text)).get("/raw").hides()
			if took := time.Since(began); took > 15*time.Second {
				t.Errorf("status %d after %s", r.StatusCode, took)
			}
		})
	}
}

// FastCGI allows bytes in headers that HTTP does not.
func TestAttackFastCGIBytes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		out    string
		status int
		data   string
	}{
		"a folded line":             {"X-Session-Update: {\"a\":\r\n 1}\r\n\r\nbody", 200, `{"before":1,"a":1}`},
		"a bare LF":                 {"X-Session-Update: {\"a\":1}\nX-Other: 1\n\nbody", 200, `{"before":1,"a":1}`},
		"a CR in the value":         {"X-Session-Update: {\"a\":\"x\ry\"}\r\n\r\nbody", 502, `{"before":1}`},
		"a NUL in the value":        {"X-Session-Update: {\"a\":\"x\x00y\"}\r\n\r\nbody", 502, `{"before":1}`},
		"a CR around the value":     {"X-Session-Update: \r{\"a\":1}\r\r\n\r\nbody", 0, ""},
		"a header in an update":     {"X-Session-Update: {\"a\":\"x\r\nSet-Cookie: caddy_session=evil\"}\r\n\r\nbody", 502, `{"before":1}`},
		"an escaped header":         {`X-Session-Update: {"user":"x\r\nX-Evil: 1\u0000"}` + "\r\n\r\nbody", 200, `{"before":1,"user":"x\r\nX-Evil: 1\u0000"}`},
		"underscores":               {"X_SESSION_UPDATE: {\"a\":1}\r\nX.Session.Control: destroy\r\n\r\nbody", 200, `{"before":1}`},
		"a space before the colon":  {"X-Session-Update : {\"a\":1}\r\n\r\nbody", 0, ""},
		"a space before the name":   {"Status: 200\r\nX-A: 1\r\n\tX-Session-Update: {\"a\":1}\r\n\r\nbody", 200, `{"before":1}`},
		"our cookie":                {"Set-Cookie: caddy_session=evil\r\nset-cookie: x=1\r\n\r\nbody", 200, `{"before":1}`},
		"no end of the head":        {"X-Session-Update: {\"a\":1}\r\n", 0, ""},
		"Status 103":                {"Status: 103 Early\r\nX-Session-Update: {\"a\":1}\r\n\r\nbody", 0, ""},
		"Status 101":                {"Status: 101 Switch\r\nUpgrade: x\r\nConnection: Upgrade\r\nX-Session-Update: {\"a\":1}\r\n\r\nbody", 0, ""},
		"Status 99":                 {"Status: 99 x\r\nX-Session-Update: {\"a\":1}\r\n\r\nbody", 0, ""},
		"Status 1000":               {"Status: 1000 x\r\nX-Session-Update: {\"a\":1}\r\n\r\nbody", 0, ""},
		"Status 204 with a body":    {"Status: 204\r\nX-Session-Update: {\"a\":1}\r\n\r\nbody", 204, `{"before":1,"a":1}`},
		"a refused 103":             {"Status: 103 Early\r\nX-Session-Update: {\r\n\r\nbody", 0, ""},
		"a trailer":                 {"Trailer: X-Session-Update\r\nX-Session-Update: {\"a\":1}\r\n\r\nbody", 200, `{"before":1,"a":1}`},
		"a Connection token":        {"Connection: X-Session-Update\r\nX-Session-Update: {\"a\":1}\r\n\r\nbody", 200, `{"before":1}`},
		"a name of control letters": {"X-Session\x01Update: {\"a\":1}\r\n\r\nbody", 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := fcgiSite.browser(t)
			b.change("update", `{"before":1}`)
			fcgi := b.via(fcgiHandler(func(map[string]string) string { return test.out }))
			// A broken response may break the connection: Caddy decides that.
			r, err := fcgi.try(fcgi.request(http.MethodGet, "/raw", nil))
			if err == nil {
				if test.status != 0 && r.StatusCode != test.status {
					t.Errorf("status %d", r.StatusCode)
				}
				if r.hides().Header["X-Evil"] != nil {
					t.Error("a header was smuggled in")
				}
				for _, c := range r.Cookies() {
					if c.Value == "evil" {
						t.Error("a cookie was smuggled in")
					}
				}
			} else if test.status != 0 {
				t.Error(err)
			}
			if test.data != "" {
				b.look().holds(test.data)
			}
			if got := b.look().sent().Header["X-Evil"]; got != nil {
				t.Errorf("the backend got X-Evil: %q", got)
			}
			fcgi.client.CloseIdleConnections()
			b.change("update", `{"alive":1}`).keeps()
		})
	}
}

// A cacheable response with our cookie would give everybody one session.
func TestAttackCacheableResponse(t *testing.T) {
	t.Parallel()
	b := plain.browser(t)
	public := []string{
		"Cache-Control", "public, max-age=86400", "Cache-Control", "s-maxage=3600", "CDN-Cache-Control", "public, max-age=1", "Surrogate-Control", "max-age=1",
	}
	check := func(what string, r *reply) {
		t.Helper()
		if got := r.Header["Cache-Control"]; len(got) != 1 || got[0] != "no-store" {
			t.Errorf("%s: Cache-Control %q", what, got)
		}
		for _, name := range []string{"Cdn-Cache-Control", "Surrogate-Control"} {
			if r.Header[name] != nil {
				t.Errorf("%s: %s %q", what, name, r.Header[name])
			}
		}
		if got := r.Header.Values("Vary"); len(got) != 1 || got[0] != "Cookie" {
			t.Errorf("%s: Vary %q", what, got)
		}
	}
	with := func(pairs ...string) *reply { return b.change(append(pairs, public...)...) }
	r := with("update", `{"a":1}`)
	r.issues()
	check("created", r)
	r = with("control", "regenerate")
	r.issues()
	check("regenerated", r)
	r = with("control", "permanent=?0")
	r.issues()
	check("not permanent", r)
	check("destroyed", with("control", "destroy").expires())

	// Without our cookie only Vary changes.
	r = with().keeps()
	if got := r.Header["Cache-Control"]; len(got) != 2 || r.Header["Cdn-Cache-Control"] == nil || r.Header["Surrogate-Control"] == nil {
		t.Errorf("without a cookie: %v", r.Header)
	}
	for given, want := range map[string]string{
		"Accept": "Accept, Cookie", "cookie": "cookie", "Accept, Cookie": "Accept, Cookie", "*": "*", "Cookies": "Cookies, Cookie", "Accept,COOKIE,X": "Accept,COOKIE,X",
	} {
		if got := strings.Join(b.ask("Vary", given).Header["Vary"], ", "); got != want {
			t.Errorf("Vary %q became %q", given, got)
		}
	}
}

// A header that is set when the response begins is set by the inner handler first: session must be
// the outer one.
func TestNoStoreAndADeferredHeader(t *testing.T) {
	t.Parallel()
	for s, want := range map[*site]string{deferredOutside: "public, max-age=60", deferredInside: "no-store"} {
		b := s.browser(t)
		r := b.change("update", `{"a":1}`)
		r.issues()
		if got := r.Header["Cache-Control"]; len(got) != 1 || got[0] != want {
			t.Errorf("%s: with our cookie, Cache-Control %q, want %q", s.host, got, want)
		}
		if got := b.look().Header.Get("Cache-Control"); got != "public, max-age=60" {
			t.Errorf("%s: without, Cache-Control %q", s.host, got)
		}
	}
}

var (
	deferredOutside = newSite("deferredoutside", `
	header >Cache-Control "public, max-age=60"
	session {
		store memory
		secret $SECRET
	}
	reverse_proxy $BACKEND`)
	deferredInside = newSite("deferredinside", `
	route {
		session {
			store memory
			secret $SECRET
		}
		header >Cache-Control "public, max-age=60"
		reverse_proxy $BACKEND
	}`)
)
