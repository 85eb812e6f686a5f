package http_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/frameworks/flask/securecookie"
	"github.com/caddy-session/caddy-session/sessionstore"
)

var adoptSite = newSite("www.adopt", `
	session {
		store memory
		secret $SECRET
		adopt flask {
			secret "`+appSecret+`"
		}
	}
	handle /raw {
		reverse_proxy $RAW {
			flush_interval -1
		}
	}
	handle {
		reverse_proxy $BACKEND
	}`)

// appCookie returns the cookie that an app with this secret set some time ago for a session with a
// user.
func appCookie(t *testing.T, secret, user string, age time.Duration) string {
	t.Helper()
	signer, err := securecookie.NewSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := securecookie.Codec{}.Encode(&sessionstore.Record{Data: []byte(`{"user":"` + user + `"}`)})
	if err != nil {
		t.Fatal(err)
	}
	return "session=" + signer.Seal(payload, time.Now().Add(-age))
}

// appSees fails the test if the app that gets the request sees another user.
func (r *reply) appSees(user string) *reply {
	r.t.Helper()
	value, named := strings.CutPrefix(r.given("Cookie"), "session=")
	signer, err := securecookie.NewSigner(appSecret)
	if err != nil {
		r.t.Fatal(err)
	}
	payload, _, _, ok := signer.Open(value, time.Now())
	var rec sessionstore.Record
	if !named || !ok || (securecookie.Codec{}).Decode(payload, &rec) != nil || string(rec.Data) != `{"user":"`+user+`"}` {
		r.t.Fatalf("the app got the cookies %q, in which it sees %s", r.given("Cookie"), rec.Data)
	}
	return r
}

// wrongCookies are cookies of the app's session that are not this visitor's.
func wrongCookies(t *testing.T) map[string]string {
	t.Helper()
	own := appCookie(t, appSecret, "mallory", 0)
	return map[string]string{
		"signed with another key": appCookie(t, "another", "mallory", 0),
		"expired":                 appCookie(t, appSecret, "mallory", 400*24*time.Hour),
		"not yet made":            appCookie(t, appSecret, "mallory", -time.Hour),
		"of an earlier response":  appCookie(t, appSecret, "mallory", 2*time.Minute),
		"without its signature":   own[:strings.LastIndexByte(own, '.')],
		"with another payload":    strings.Replace(appCookie(t, appSecret, "ada", 0), "session=e", "session=f", 1),
		"dots only":               "session=..",
	}
}

// The app trusts its cookie, so it must never get one that the client sent, in any form.
func TestAttackAdoptedCookieFromTheClient(t *testing.T) {
	t.Parallel()
	b := adoptSite.browser(t)
	b.sets("/", []string{appCookie(t, appSecret, "ada", 0)})
	session := b.cookies()
	sent := wrongCookies(t)
	stolen := appCookie(t, appSecret, "mallory", 0)
	sent["of another user"] = stolen
	sent["of another user, in upper case"] = strings.ToUpper(stolen[:1]) + stolen[1:]
	sent["of another user, in blanks"] = " " + strings.Replace(stolen, "=", " = ", 1)
	sent["of another user, without a name"] = "=" + stolen
	sent["of another user, twice"] = stolen + ";" + stolen
	for name, cookie := range sent {
		t.Run(name, func(t *testing.T) {
			for _, header := range []string{session + "; " + cookie, cookie + "; " + session} {
				b.holding(header).look().keeps().holds(`{"user":"ada"}`).appSees("ada")
			}
			if got := b.holding(cookie).look().keeps().holds(`{}`).given("Cookie"); got != "" {
				t.Errorf("without a session of ours, the app got the cookies %q", got)
			}
		})
	}
}

// A Set-Cookie that the app did not make for this response is not a session: the response is
// refused and nothing changes. It may come from a cache behind the proxy, with another user's
// cookie.
func TestAttackAdoptedCookieFromElsewhere(t *testing.T) {
	t.Parallel()
	for name, cookie := range wrongCookies(t) {
		t.Run(name, func(t *testing.T) {
			b := adoptSite.browser(t)
			b.sets("/", []string{appCookie(t, appSecret, "ada", 0)})
			for _, client := range []*browser{b, b.bare()} {
				r := client.get(ask("/", append(setCookies(cookie+"; Path=/"), "update", `{"x":1}`, "Etag", `"x"`)...)).want(http.StatusBadGateway).keeps().hides()
				if len(r.body) > 0 || r.Header["Etag"] != nil || r.Header["Set-Cookie"] != nil {
					t.Errorf("from a refused response, the client got %v %.100q", r.Header, r.body)
				}
			}
			b.look().holds(`{"user":"ada"}`).appSees("ada")
		})
	}
	// An app may be slow, and its clock slightly behind.
	b := adoptSite.browser(t)
	b.sets("/", []string{appCookie(t, appSecret, "ada", 30*time.Second)})
	b.look().holds(`{"user":"ada"}`)
}

// A Connection token would have the proxy remove the cookie that it made, and the app would not see
// the user.
func TestAttackConnectionAdoptedCookie(t *testing.T) {
	t.Parallel()
	b := adoptSite.browser(t)
	b.sets("/", []string{appCookie(t, appSecret, "ada", 0)})
	for _, header := range []string{"close, Cookie", "cookie", "COOKIE, x", "keep-alive,Cookie"} {
		rawSent(b, "GET / HTTP/1.1\r\nHost: www.adopt.test\r\nCookie: "+b.cookies()+"\r\nConnection: "+header+"\r\nConnection: close\r\n\r\n").appSees("ada")
	}
}

// Only Set-Cookie in the head of a final response counts. Elsewhere it reaches neither the client
// nor the session.
func TestAttackAdoptedSmuggledSetCookie(t *testing.T) {
	t.Parallel()
	b := adoptSite.browser(t)
	b.sets("/", []string{appCookie(t, appSecret, "ada", 0)})
	session := b.cookies()
	cookie := appCookie(t, appSecret, "mallory", 0)
	smuggled := "Set-Cookie: " + cookie + "; Path=/\r\nset-cookie: " + cookie + "; HttpOnly\r\nSet-Cookie: session=; Max-Age=0; Path=/\r\n"
	for name, text := range map[string]string{
		"103":      "HTTP/1.1 103 Early Hints\r\n" + smuggled + "Link: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody",
		"trailers": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n" + smuggled + "\r\n",
		"announced trailers": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Set-Cookie, X-Ok\r\n\r\n4\r\nbody\r\n0\r\n" +
			smuggled + "X-Ok: 1\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			text := b.holding(session).via(rawText(text)).rawGet("/raw")
			if strings.Contains(text, "session=") || !strings.Contains(text, "body") {
				t.Errorf("the client got %q", text)
			}
			b.holding(session).look().holds(`{"user":"ada"}`).appSees("ada")
		})
	}
}
