package http_test

import (
	"encoding/base64"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

var plain = newSite("plain", `
	session {
		store memory
		secret $SECRET
	}
	reverse_proxy $BACKEND`)

func TestPlainFlow(t *testing.T) {
	t.Parallel()
	b := plain.browser(t)

	first := b.look().holds("{}").keeps()
	if got := first.given("X-Session-Info"); got != "exists=?0" {
		t.Errorf("anonymous X-Session-Info: %q", got)
	}
	first.flashes("")
	if got := first.Header.Values("Vary"); len(got) != 1 || got[0] != "Cookie" {
		t.Errorf("Vary: %q", got)
	}
	if _, sent := first.sent().Header["Cookie"]; sent {
		t.Error("the backend got a Cookie header")
	}

	before := time.Now().Truncate(time.Second)
	created := b.change("update", `{"user":"Zoë","n":1.10}`)
	created.hides().holds("{}")
	cookie := created.issues()
	if !regexp.MustCompile(`^[A-Za-z0-9_-]{43}\.[A-Za-z0-9_-]{43}$`).MatchString(cookie.Value) {
		t.Errorf("unexpected form of the cookie's value: %d characters", len(cookie.Value))
	}
	if cookie.Path != "/" || !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode || cookie.Secure || cookie.Domain != "" {
		t.Errorf("cookie attributes: %+v", cookie)
	}
	if month := 744 * 3600; cookie.MaxAge < month-5 || cookie.MaxAge > month {
		t.Errorf("Max-Age %d", cookie.MaxAge)
	}
	if cc := created.Header["Cache-Control"]; len(cc) != 1 || cc[0] != "no-store" {
		t.Errorf("Cache-Control %q", cc)
	}

	read := b.look().keeps().holds(`{"user":"Zo\u00eb","n":1.10}`)
	if _, set := read.Header["Cache-Control"]; set {
		t.Error("Cache-Control on a response without a cookie")
	}
	i := read.info()
	if !i.exists || i.unavailable || !regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`).MatchString(i.ref) {
		t.Errorf("info %+v", i)
	}
	if i.created.Before(before) || i.created.After(time.Now()) {
		t.Errorf("created %s", i.created)
	}
	if left := time.Until(i.expires); left < 23*time.Hour+59*time.Minute || left > 24*time.Hour {
		t.Errorf("expires in %s", left)
	}
	if !regexp.MustCompile(`^exists, ref="[A-Za-z0-9_-]{43}", created=@\d{10}, expires=@\d{10}$`).MatchString(read.given("X-Session-Info")) {
		t.Errorf("X-Session-Info: %q", read.given("X-Session-Info"))
	}
	if strings.Contains(cookie.Value, i.ref) {
		t.Error("the cookie contains the ref")
	}

	b.change("update", `{"user":null,"cart":["a"]}`).keeps()
	b.change("update", `[{"op":"add","path":"/cart/-","value":"b"},{"op":"increment","path":"/n","value":1}]`).keeps()
	b.look().holds(`{"n":2.10,"cart":["a","b"]}`)
	if again := b.look().info(); again.ref != i.ref || !again.created.Equal(i.created) {
		t.Errorf("another session: %+v, was %+v", again, i)
	}

	old := b.cookies()
	b.change("control", "destroy").expires().holds(`{"n":2.10,"cart":["a","b"]}`)
	b.look().holds("{}").keeps()
	b.holding(old).look().holds("{}").keeps()
}

func TestNothingChangedNothingCreated(t *testing.T) {
	t.Parallel()
	for _, pairs := range [][]string{
		{"update", `{}`},
		{"update", `{"a":null}`},
		{"update", `[]`},
		{"update", `[{"op":"test","path":"","value":{}}]`},
		{"update", `[{"op":"add","path":"/a","value":1},{"op":"remove","path":"/a"}]`},
		{"control", "regenerate"},
		{"control", "permanent"},
		{"control", "permanent=?0"},
		{"control", "idle-timeout=60"},
		{"control", "flash-seen"},
		{"control", "regenerate, permanent, idle-timeout=5, flash-seen"},
		{"control", "destroy"},
		{"control", "regenerate=?0, destroy=?0"},
		{"control", ""},
	} {
		t.Run(strings.Join(pairs, " "), func(t *testing.T) {
			t.Parallel()
			plain.browser(t).change(pairs...).keeps().hides()
		})
	}
}

func TestUnchangedIsNotAnnounced(t *testing.T) {
	t.Parallel()
	b := plain.browser(t)
	b.change("update", `{"a":1}`).issues()
	b.change("update", `{"a":1}`).keeps()
	b.change("update", `[{"op":"test","path":"/a","value":1.0}]`).keeps()
	b.change("control", "permanent").keeps() // it is permanent already
	b.look().holds(`{"a":1}`)
}

// The specification's "one change": in order, all or nothing.
func TestSeveralValues(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		pairs []string
		data  string
	}{
		"several in a line":         {[]string{"update", `{"a":1}, {"a":2,"b":3} ,[{"op":"remove","path":"/b"}]`}, `{"a":2}`},
		"several lines":             {[]string{"update", `{"a":1}`, "update", `[{"op":"increment","path":"/a","value":0.5}]`}, `{"a":1.5}`},
		"merge keeps null":          {[]string{"update", `{"l":[{"a":null}]}`}, `{"l":[{"a":null}]}`},
		"digits":                    {[]string{"update", `{"a":123456789012345678901234567890.10,"e":1E400}`}, `{"a":123456789012345678901234567890.10,"e":1E400}`},
		"escapes":                   {[]string{"update", `{"a":"\u00e9\ud83d\ude00\/<&>"}`}, `{"a":"\u00e9\ud83d\ude00/<&>"}`},
		"raw UTF-8":                 {[]string{"update", `{"é":"😀"}`}, `{"\u00e9":"\ud83d\ude00"}`},
		"increment a missing field": {[]string{"update", `[{"op":"increment","path":"/n","value":-2}]`}, `{"n":-2}`},
		"replace the whole":         {[]string{"update", `{"x":1},[{"op":"replace","path":"","value":{"y":2}}]`}, `{"y":2}`},
		"control lines combine":     {[]string{"update", `{"a":1}`, "control", "permanent", "control", "permanent=?0, idle-timeout=60"}, `{"a":1}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := plain.browser(t)
			cookie := b.change(test.pairs...).issues()
			b.look().holds(test.data)
			if name == "control lines combine" {
				if cookie.MaxAge != 0 {
					t.Errorf("the last control was not applied: Max-Age %d", cookie.MaxAge)
				}
				if left := time.Until(b.look().info().expires); left > time.Minute {
					t.Errorf("expires in %s", left)
				}
			}
		})
	}
}

func TestOtherCookiesStay(t *testing.T) {
	t.Parallel()
	b := plain.browser(t)
	b.change("update", `{"a":1}`)
	ours := b.cookies()
	for sent, want := range map[string]string{
		ours:                 "",
		"a=1; " + ours:       "a=1",
		ours + "; b=\"x y\"": "b=\"x y\"",
		"a=1;" + ours + ";b;  c==;d=caddy_session=1":                        "a=1;b;  c==;d=caddy_session=1",
		"xcaddy_session=1; " + ours + "; caddy_sessionx=2; Caddy_Session=3": "xcaddy_session=1; caddy_sessionx=2; Caddy_Session=3",
		ours + "; caddy_session=; caddy_session":                            "",
	} {
		got := b.holding(sent).look().holds(`{"a":1}`).given("Cookie")
		if got != want {
			t.Errorf("Cookie %q: the backend got %q, want %q", strings.ReplaceAll(sent, ours, "OURS"), got, want)
		}
	}
}

// HTTP/1.0, as health checks and old clients use it.
func TestHTTP10(t *testing.T) {
	t.Parallel()
	b := plain.browser(t)
	text := b.raw("GET " + ask("/", "update", `{"a":1}`) + " HTTP/1.0\r\nHost: plain.test\r\n\r\n")
	_, cookie, _ := strings.Cut(text, "Set-Cookie: ")
	cookie, _, _ = strings.Cut(cookie, ";")
	b.holding(cookie).look().holds(`{"a":1}`)
	if text := b.raw("GET / HTTP/1.0\r\nHost: plain.test\r\nCookie: " + cookie + "\r\n\r\n"); !strings.Contains(text, `{\"a\":1}`) {
		t.Errorf("the client got %q", text)
	}
}

var pass = newSite("pass", `
	session {
		store memory
		secret $SECRET
		cookie {
			pass_through on
		}
	}
	reverse_proxy $BACKEND`)

func TestPassThrough(t *testing.T) {
	t.Parallel()
	b := pass.browser(t)
	b.change("update", `{"a":1}`).issues()
	ours := b.cookies()
	if got := b.holding("a=1; " + ours + ";b").look().holds(`{"a":1}`).given("Cookie"); got != "a=1; "+ours+";b" {
		t.Error("the Cookie header was changed")
	}

	// The backend names the session to change.
	other := pass.browser(t)
	other.change("update", `{"b":1}`).issues()
	r := b.change("Set-Cookie", other.cookies()+"; Path=/", "update", `{"c":2}`)
	if r.issues().Value != strings.TrimPrefix(other.cookies(), "caddy_session=") {
		t.Error("the backend's cookie did not pass")
	}
	b.look().holds(`{"b":1,"c":2}`)
	b.holding(ours).look().holds(`{"a":1}`)
}

// With pass_through, the cookie of a backend that signs it itself must be the only one: of two
// cookies with one name, the browser keeps the second.
func TestPassThroughSetsNoSecondCookie(t *testing.T) {
	t.Parallel()
	t.Run("with a client's cookie of an older key", func(t *testing.T) {
		t.Parallel()
		old := passOld.browser(t)
		old.change("update", `{"a":1}`)
		b := pass2.browser(t)
		b.change("update", `{"b":1}`)
		mine := b.cookies()
		for _, pairs := range [][]string{{}, {"update", `{"c":1}`}} {
			r := b.holding(old.cookies()).ask(append([]string{"Set-Cookie", mine + "; Path=/"}, pairs...)...).want(http.StatusOK)
			if got := len(r.Cookies()); got != 1 {
				t.Errorf("%v: %d cookies set", pairs, got)
			}
		}
	})
	t.Run("whatever the backend's value", func(t *testing.T) {
		t.Parallel()
		r := pass.browser(t).change("Set-Cookie", "caddy_session=app; Path=/", "update", `{"c":1}`)
		if got := len(r.Cookies()); got != 1 {
			t.Errorf("%d cookies set", got)
		}
	})
}

const passOptions = `
	session {
		store memory
		scope pass
		secret %s
		cookie {
			pass_through on
		}
	}
	reverse_proxy $BACKEND`

var (
	passOld = newSite("passold", strings.Replace(passOptions, "%s", "$OLDSECRET", 1))
	pass2   = newSite("pass2", strings.Replace(passOptions, "%s", "$SECRET $OLDSECRET", 1))
)

var base64Site = newSite("base64", `
	session {
		store memory
		secret $SECRET
		encoding base64
	}
	reverse_proxy $BACKEND`)

func TestEncodingBase64(t *testing.T) {
	t.Parallel()
	b := base64Site.browser(t)
	encode := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	b.look().holds(encode("{}"))
	b.change("update", encode(`{"a":"é"},{"b":1}`), "update", `{"c":1}, `+encode(`{"d":2}`), "flash", encode(`["info","ü"]`)).issues()
	b.look().holds(encode(`{"a":"é","b":1,"c":1,"d":2}`)).flashes(`[["info","\u00fc"]]`)
	for _, bad := range []string{"?", encode("{"), encode(`{"a":1}`) + " " + encode(`{"b":1}`), "", ",", "e30", encode(`{"a":1}`) + ","} {
		if got := b.ask("update", bad).StatusCode; got != http.StatusBadGateway {
			t.Errorf("update %q: status %d", bad, got)
		}
	}
}

var fields = newSite("fields", `
	session {
		store memory
		secret $SECRET
		forward user.name cart.1
		inject X-User user.name
		inject X-Cart cart
		capture X-Login user.name
		capture X-Theme theme
	}
	reverse_proxy $BACKEND`)

func TestForwardInjectCapture(t *testing.T) {
	t.Parallel()
	b := fields.browser(t)
	r := b.with("X-User", "evil").with("X-Cart", "evil").look().holds("{}")
	if h := r.sent().Header; h["X-User"] != nil || h["X-Cart"] != nil {
		t.Errorf("injected headers without a session: %v", h)
	}
	r = b.change("X-Login", "zoë", "X-Theme", "a", "X-Theme", "b", "update", `{"user":{"x":1},"cart":[1,{"p":2},3]}`)
	if r.Header["X-Login"] != nil || r.Header["X-Theme"] != nil {
		t.Error("captured headers reach the client")
	}
	first := r.issues().Value
	// Captures and updates are both applied, in any order.
	r = b.look()
	r.holds(`{"user":{"name":"zo\u00eb"},"cart":[null,{"p":2}]}`)
	if r.given("X-User") != "zo%C3%AB" || r.given("X-Cart") != `[1,{"p":2},3]` {
		t.Errorf("injected: %q, %q", r.given("X-User"), r.given("X-Cart"))
	}
	if again := b.change("X-Login", "max").issues().Value; again == first {
		t.Error("a captured login did not regenerate")
	}
	b.change("X-Login", "max").keeps()
	b.change("update", `{"user":{"name":"a\r\nX-Evil: 1\u0000\u007f"}}`).issues()
	if got := b.look().given("X-User"); got != "a%0D%0AX-Evil: 1%00%7F" {
		t.Errorf("X-User: %q", got)
	}
	b.change("X-Login", "").issues() // an empty header removes the field
	if _, there := b.look().sent().Header["X-User"]; there {
		t.Error("X-User without a field")
	}
}

var forwardNone = newSite("forwardnone", `
	session {
		store memory
		secret $SECRET
		forward none
	}
	respond /page "exists={http.session.exists} data={http.session.data} a={http.session.data.a.1} none={http.session.data.no.where} ref={http.session.ref} created={http.session.created}"
	@in expression {http.session.data.n} == 5 && {http.session.exists} == true
	respond @in "matched"
	reverse_proxy $BACKEND`)

func TestForwardNoneAndPlaceholders(t *testing.T) {
	t.Parallel()
	b := forwardNone.browser(t)
	if got := string(b.get("/page").body); got != "exists=false data={} a= none= ref= created=" {
		t.Errorf("anonymous placeholders: %s", got)
	}
	b.change("update", `{"a":["x","y"]}`)
	r := b.look().holds("{}")
	i := r.info()
	if got := string(b.get("/page").body); !strings.HasPrefix(got, `exists=true data={"a":["x","y"]} a=y none= ref=`+i.ref+" created=") {
		t.Errorf("placeholders: %s", got)
	}
	b.change("update", `{"n":5}`)
	if got := string(b.get("/").body); got != "matched" {
		t.Errorf("the matcher does not see the data: %s", got)
	}
}

var mute = newSite("mute", `
	session {
		store memory
		secret $SECRET
		updates off
		capture X-Login user
	}
	reverse_proxy $BACKEND`)

func TestUpdatesOff(t *testing.T) {
	t.Parallel()
	b := mute.browser(t)
	b.change("update", `{"a":1}`, "flash", `"x"`, "control", "bad=(((").keeps().hides()
	b.change("X-Login", "zoe", "update", "{").hides().issues()
	b.look().holds(`{"user":"zoe"}`).flashes("")
	b.change("control", "destroy").keeps().hides()
	b.look().holds(`{"user":"zoe"}`)
	many := []string{}
	for range 65 {
		many = append(many, "update", `{"a":1}`)
	}
	b.change(many...).keeps().hides()
	awaitLog(t, "ignored updates", "ignored: updates off")
	if got := strings.Count(caddy().Log(), "ignored: updates off"); got != 1 {
		t.Errorf("logged %d times", got)
	}
}
