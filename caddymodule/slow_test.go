package caddymodule

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/frameworks/flask/securecookie"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// client is a browser for one site. It keeps the last cookie that it got.
type client struct {
	*testing.T
	h           *Handler
	url, cookie string
}

// asks sends a request and returns what the app gets. It calls meanwhile while the app has the
// request. Then the app answers with a status and headers given in pairs.
func (c *client) asks(meanwhile func(), status int, pairs ...string) (told string) {
	c.Helper()
	r := httptest.NewRequest(http.MethodGet, c.url, nil)
	if c.cookie != "" {
		r.Header.Set("Cookie", c.cookie)
	}
	w, err := serve(c.h, r, func(w http.ResponseWriter, r *http.Request) error {
		told = r.Header.Get("X-Session-Data") + " " + r.Header.Get("Cookie")
		if meanwhile != nil {
			meanwhile()
		}
		for i := 0; i < len(pairs); i += 2 {
			w.Header().Add(pairs[i], pairs[i+1])
		}
		w.WriteHeader(status)
		return nil
	})
	if err != nil {
		c.Fatal(err)
	}
	for _, given := range w.Result().Cookies() {
		c.cookie = given.Name + "=" + given.Value
	}
	return told
}

// The app logs out. Before the browser uses the id that it gets there, it gets the response to an
// earlier request, which gives a new id too. After both, the browser must not be logged in.
func TestAttackALogoutBesideASlowResponse(t *testing.T) {
	const secret = "dev"
	signer, err := securecookie.NewSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	flask := func(data string) string {
		payload, err := securecookie.Codec{}.Encode(&sessionstore.Record{Data: []byte(data)})
		if err != nil {
			t.Fatal(err)
		}
		return "session=" + signer.Seal(payload, time.Now())
	}
	set := func(lines ...string) (pairs []string) {
		for _, line := range lines {
			pairs = append(pairs, "Set-Cookie", line)
		}
		return pairs
	}
	update := func(text string) []string { return []string{"X-Session-Update", text} }
	for name, c := range map[string]struct {
		options             string
		login, logout, slow []string
	}{
		"vault": {"vault sid note", set("sid=ada; HttpOnly"), set("sid=anonymous; HttpOnly"), set("note=1; HttpOnly")},
		"vault, as Fastify sets its cookie": {
			"vault sid note", set("sid=ada; HttpOnly"), set("sid=anonymous; HttpOnly"), set("sid=ada; HttpOnly", "note=1; HttpOnly"),
		},
		"vault, deleted": {"vault sid note", set("sid=ada; HttpOnly"), set("sid=; Max-Age=0"), set("note=1; HttpOnly")},
		"adopt": {
			"adopt flask {\nsecret " + secret + "\n}", set(flask(`{"user":"ada"}`)), set(flask(`{"bye":1}`)), set(flask(`{"user":"ada","email":"x"}`)),
		},
		"adopt beside the vault": {
			"vault note\nadopt flask {\nsecret " + secret + "\n}", set(flask(`{"user":"ada"}`)), set(flask(`{"bye":1}`)), set("note=1; HttpOnly"),
		},
		"native":   {"regenerate_on user", update(`{"user":"ada"}`), update(`{"user":null,"bye":1}`), append(update(`{"x":1}`), "X-Session-Control", "regenerate")},
		"destroy":  {"", update(`{"user":"ada"}`), []string{"X-Session-Control", "destroy"}, append(update(`{"x":1}`), "X-Session-Control", "regenerate")},
		"emptying": {"", update(`{"user":"ada"}`), update(`{"user":null}`), append(update(`{"x":1}`), "X-Session-Control", "regenerate")},
	} {
		t.Run(name, func(t *testing.T) {
			b := &client{T: t, h: mustProvision(t, inMemory(t, c.options)), url: "http://example.com/"}
			b.asks(nil, http.StatusOK, c.login...)
			signedIn := b.asks(nil, http.StatusOK)
			b.asks(func() { b.asks(nil, http.StatusSeeOther, c.logout...) }, http.StatusOK, c.slow...)
			told := b.asks(nil, http.StatusOK)
			if strings.Contains(told, "ada") || name[:5] == "adopt" && strings.Contains(told, "user") || signedIn == told {
				t.Errorf("after the logout, the app is told %s", told)
			}
		})
	}
}

// Beside a login, a response that replaces the app's cookie gives a new id without TLS. If the
// browser has used the login's id by then, the whole change is dropped. Over TLS the response gives
// no new id, and its harmless parts are kept.
func TestASlowResponseThatReplacesTheAppsCookie(t *testing.T) {
	for url, want := range map[string]string{"http://example.com/": "{} sid=ada", "https://example.com/": "{} sid=ada; note=1"} {
		b := &client{T: t, h: mustProvision(t, inMemory(t, "vault sid note")), url: url}
		b.asks(nil, http.StatusOK, "Set-Cookie", "sid=1; HttpOnly")
		var given string
		b.asks(func() {
			b.asks(nil, http.StatusSeeOther, "Set-Cookie", "sid=ada; HttpOnly")
			given = b.cookie
			b.asks(nil, http.StatusOK)
		}, http.StatusOK, "Set-Cookie", "sid=2; HttpOnly", "Set-Cookie", "note=1")
		if told := b.asks(nil, http.StatusOK); told != want || b.cookie != given {
			t.Errorf("%s: the app is told %q, want %q; another cookie: %t", url, told, want, b.cookie != given)
		}
	}
}
