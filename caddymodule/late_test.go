package caddymodule

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

const lateKey, olderLateKey = "the key of the late app", "the older key of that app"

// lateApp is an app and what it gets: the URL for late changes of its last request.
type lateApp struct {
	*testing.T
	h      *Handler
	url    string
	cookie *http.Cookie
}

func newLateApp(t *testing.T, options string) *lateApp {
	t.Helper()
	return &lateApp{T: t, h: mustProvision(t, inMemory(t, "late "+`"`+lateKey+`" "`+olderLateKey+`"`+"\n"+options))}
}

// answers is a request that the app answers with these headers. It keeps the cookie, as a browser.
func (a *lateApp) answers(headers ...string) *httptest.ResponseRecorder {
	a.Helper()
	return a.does(func(w http.ResponseWriter, _ *http.Request) error {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Add(headers[i], headers[i+1])
		}
		return nil
	})
}

func (a *lateApp) does(next caddyhttp.HandlerFunc) *httptest.ResponseRecorder {
	a.Helper()
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header["X-Session-Late"], r.Header["X_session.Late"] = []string{"http://attacker/"}, []string{"http://attacker/"}
	if a.cookie != nil {
		r.AddCookie(a.cookie)
	}
	w, _ := serve(a.h, r, func(w http.ResponseWriter, r *http.Request) error {
		a.url = r.Header.Get("X-Session-Late")
		for name, lines := range r.Header {
			if strings.Contains(strings.Join(lines, ""), "attacker") {
				a.Errorf("the app gets %s: %s", name, lines)
			}
		}
		return next(w, r)
	})
	for _, c := range w.Result().Cookies() {
		a.cookie = c
	}
	return w
}

// says is a late change.
func (a *lateApp) says(want int, lines ...string) (text string) {
	a.Helper()
	return a.signs(lateKey, a.url, want, lines...)
}

func (a *lateApp) signs(key, url string, want int, lines ...string) (text string) {
	a.Helper()
	body := strings.Join(lines, "\r\n")
	mac := hmac.New(sha256.New, []byte(key))
	_, _ = io.WriteString(mac, url+"\n"+body)
	r, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		a.Fatal(err)
	}
	r.Header.Set("X-Session-Mac", hex.EncodeToString(mac.Sum(nil)))
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		a.Fatal(err)
	}
	defer resp.Body.Close()
	answer, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != want {
		a.Errorf("%q: %d, %s, want %d", lines, resp.StatusCode, answer, want)
	}
	return string(answer)
}

// has checks the data that the app gets.
func (a *lateApp) has(want string) {
	a.Helper()
	a.does(func(_ http.ResponseWriter, r *http.Request) error {
		if data := r.Header.Get("X-Session-Data"); data != want {
			a.Errorf("the session is %s, want %s", data, want)
		}
		return nil
	})
}

// An app changes the session after its response, also the one that the response has begun.
func TestLateChange(t *testing.T) {
	a := newLateApp(t, "")
	a.answers("X-Session-Update", `{"n":1}`)
	a.says(http.StatusNoContent, `X-Session-Update: {"late":1}, [{"op":"increment","path":"/n","value":1}]`, `x-session-flash: ["info","saved"]`)
	a.has(`{"n":2,"late":1}`)
	a.signs(olderLateKey, a.url, http.StatusNoContent, `X-Session-Control: flash-seen`, `X-Session-Update: {"late":2}`)
	a.says(http.StatusNoContent)
	a.does(func(_ http.ResponseWriter, r *http.Request) error {
		if data, flash := r.Header.Get("X-Session-Data"), r.Header.Get("X-Session-Flash"); data != `{"n":2,"late":2}` || flash != "" {
			t.Errorf("the session is %s, the messages %s", data, flash)
		}
		return nil
	})
}

// Late changes go to the session that the response has left: under its new id, or a new one.
func TestLateChangeOfALogin(t *testing.T) {
	a := newLateApp(t, "")
	a.answers("X-Session-Update", `{"n":1}`)
	planted := a.cookie
	a.answers("X-Session-Update", `{"user":"zoe"}`, "X-Session-Control", "regenerate")
	a.says(http.StatusNoContent, `X-Session-Update: {"late":1}`)
	login := a.cookie
	a.cookie = planted
	a.has(`{"n":1}`)
	a.cookie = login
	a.has(`{"n":1,"user":"zoe","late":1}`)
	a.answers("X-Session-Update", `{"bye":1}`, "X-Session-Control", "destroy")
	a.says(http.StatusNoContent, `X-Session-Update: {"late":2}`)
	a.has(`{"bye":1,"late":2}`)
}

// A request under way when another one gets a new id changes the session under that.
func TestLateChangeAfterANewID(t *testing.T) {
	a := newLateApp(t, "")
	a.answers("X-Session-Update", `{"n":1}`)
	url := a.url
	a.answers("X-Session-Control", "regenerate")
	a.has(`{"n":1}`)
	a.signs(lateKey, url, http.StatusNoContent, `X-Session-Update: {"late":1}`)
	a.has(`{"n":1,"late":1}`)
}

// If somebody else has logged in with the same planted id first, the login is dropped, and so is
// what its app says later.
func TestAttackLateChangeOfADroppedLogin(t *testing.T) {
	a := newLateApp(t, "")
	a.answers("X-Session-Update", `{"n":1}`)
	a.does(func(w http.ResponseWriter, _ *http.Request) error {
		url := a.url
		a.answers("X-Session-Control", "regenerate", "X-Session-Update", `{"user":"mallory"}`)
		a.has(`{"n":1,"user":"mallory"}`) // the new id is used
		a.url = url
		w.Header().Set("X-Session-Control", "regenerate")
		w.Header().Set("X-Session-Update", `{"user":"zoe"}`)
		return nil
	})
	a.says(http.StatusConflict, `X-Session-Update: {"inbox":"zoe's"}`)
	a.has(`{"n":1,"user":"mallory"}`)
}

// What an adopted app could not read is refused.
func TestAttackLateChangeThatAnAdoptedAppCannotRead(t *testing.T) {
	a := newLateApp(t, "adopt flask {\nsecret dev\n}")
	a.answers("X-Session-Update", `{"n":1}`)
	const change = `X-Session-Update: {"_permanent":"x"}`
	a.says(http.StatusBadRequest, change)
	a.has(`{"n":1}`)
	if w := a.answers("X-Session-Update", `{"_permanent":"x"}`); w.Code != http.StatusBadGateway {
		t.Errorf("the same in time: %d", w.Code)
	}
}

// Messages that the app did not get, because they were too long, are not removed.
func TestLateFlashSeenOfMessagesThatWereLeftOut(t *testing.T) {
	a := newLateApp(t, "max_headers 400")
	a.answers("X-Session-Flash", `"`+strings.Repeat("x", 1000)+`"`)
	a.answers()
	a.says(http.StatusNoContent, "X-Session-Control: flash-seen")
	a.h.MaxHeaders = 0
	a.does(func(_ http.ResponseWriter, r *http.Request) error {
		if r.Header.Get("X-Session-Flash") == "" {
			t.Error("the message is gone")
		}
		return nil
	})
}

// A late logout is one.
func TestLateLogout(t *testing.T) {
	a := newLateApp(t, "")
	for _, line := range []string{"X-Session-Control: destroy", `X-Session-Update: {"n":null}`} {
		a.answers("X-Session-Update", `{"n":1}`)
		a.says(http.StatusNoContent, line)
		a.has(`{}`)
	}
}

// After a logout nothing comes back, and nothing begins a session for a client without one.
func TestAttackLateChangeWithoutASession(t *testing.T) {
	a := newLateApp(t, "")
	a.answers()
	a.says(http.StatusConflict, `X-Session-Update: {"n":1}`)
	a.answers("X-Session-Update", `{"n":1}`)
	url := a.url
	a.answers("X-Session-Control", "destroy")
	a.says(http.StatusConflict, `X-Session-Update: {"n":2}`)
	a.signs(lateKey, url, http.StatusConflict, `X-Session-Update: {"n":2}`)
	a.has(`{}`)
}

// A refused change of the response drops what comes later, as does a failed request.
func TestLateChangeOfARefusedResponse(t *testing.T) {
	a := newLateApp(t, "")
	a.answers("X-Session-Update", `{"n":1}`)
	a.answers("X-Session-Update", `[`)
	a.says(http.StatusConflict, `X-Session-Update: {"late":1}`)
	a.does(func(http.ResponseWriter, *http.Request) error { return errors.New("no backend") })
	a.says(http.StatusConflict, `X-Session-Update: {"late":1}`)
	a.has(`{"n":1}`)
}

// An explanation of a request takes the place of no late change.
func TestExplainKeepsNoLateToken(t *testing.T) {
	a := newLateApp(t, "")
	r := prepare(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
	a.h.ExplainRequest(r, "")
	a.url = r.Header.Get("X-Session-Late")
	a.says(http.StatusConflict, `X-Session-Update: {"late":1}`)
}

// A late change gives no new id, whatever calls for it, and is as valid as another.
func TestAttackLateChangeThatIsNotValid(t *testing.T) {
	a := newLateApp(t, "user user")
	a.answers("X-Session-Update", `{"n":1}`)
	for line, says := range map[string]string{
		"X-Session-Control: regenerate":                                      "X-Session-Control: no new id can be given after the response",
		`X-Session-Update: {"user":"zoe"}`:                                   "it would need a cookie",
		"X-Session-Control: destroy\nX-Session-Update: {\"n\":2}":            "it would need a cookie",
		"X-Session-Control: explode":                                         "unknown member",
		"X-Session-Update: {":                                                "X-Session-Update, line 1",
		"X-Session-Data: {}":                                                 `line 1 is none of X-Session-Update, X-Session-Flash, X-Session-Control, X-Session-Late`,
		"Set-Cookie: caddy_session=x":                                        "line 1 is none of",
		"X-Session-Update: {\n\"secret\":1}":                                 "line 2 is none of X-Session-Update",
		`X-Session-Update: {"n":"` + strings.Repeat("x", 4000) + `"}`:        "too large",
		strings.TrimSuffix(strings.Repeat("X-Session-Update: {}\n", 65), ""): "65 session header lines",
	} {
		if text := a.says(http.StatusBadRequest, line); !strings.Contains(text, says) {
			t.Errorf("%.60q: %s", line, text)
		}
	}
	a.has(`{"n":1}`)
	a.says(http.StatusNoContent, strings.Repeat("X-Session-Update: {}\n", 64))
}

// No client sees the header, whoever sets it, and without the option the app gets none.
func TestAttackLateHeader(t *testing.T) {
	for _, a := range []*lateApp{newLateApp(t, ""), {T: t, h: mustProvision(t, inMemory(t, ""))}} {
		if w := a.answers("X-Session-Late", "http://attacker/", "X_Session_Late", "http://attacker/"); strings.Contains(fmt.Sprint(w.Header()), "attacker") {
			t.Errorf("the client gets %v", w.Header())
		}
		if option := a.h.Late != nil; option != (a.url != "") {
			t.Errorf("the app gets %q", a.url)
		}
	}
}

// What cannot work is refused, in the Caddyfile and in JSON.
func TestLateOptions(t *testing.T) {
	for options, want := range map[string]string{
		"late":                        "late: missing value",
		"late 0123456789abcde":        "late: key 1 of 1 is 15 bytes long, at least 16 are needed",
		"late {env.NO_SUCH_VARIABLE}": "late: key 1 of 1: the placeholder {env.NO_SUCH_VARIABLE} resolves to nothing",
		"late " + testSecret + " {\nlisten 2021\n}":             "listen must be an address host:port",
		"late " + testSecret + " {\nlisten :2021\n}":            "late: the app cannot be sent to :2021: set url",
		"late " + testSecret + " {\nlisten 0.0.0.0:2021\n}":     "late: the app cannot be sent to 0.0.0.0:2021: set url",
		"late " + testSecret + " {\nurl caddy\n}":               "url must be a URL such as http://caddy:2021",
		"late " + testSecret + " {\nport 1\n}":                  "unrecognized option of late: port; it has listen, url",
		"late " + testSecret + "\nupdates off":                  "late: cannot be used with updates off",
		"late " + testSecret + "\nstore none":                   "late: cannot be used with store none",
		"late " + testSecret + "\ndialect flask {\nsecret x\n}": "late cannot be used with dialect flask: its sessions are kept in the cookie",
	} {
		if _, err := provision(t, options); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", options, err, want)
		}
	}
	h := new(Handler)
	if err := h.UnmarshalCaddyfile(caddyfile.NewTestDispenser("session {\nlate {env.KEY} b {\nlisten :2021\nurl http://caddy:2021/\n}\n}")); err != nil ||
		strings.Join(h.Late.Keys, " ") != "{env.KEY} b" || h.Late.Listen != ":2021" || h.Late.URL != "http://caddy:2021/" {
		t.Errorf("%+v, %v", h.Late, err)
	}
}

// A request that outlives its configuration still changes its session late, by the keys of that
// configuration, if the next one has the endpoint too.
func TestLateChangeAfterAReload(t *testing.T) {
	options := inMemory(t, "late "+`"`+lateKey+`"`)
	former := new(Handler)
	if err := former.UnmarshalCaddyfile(caddyfile.NewTestDispenser("session {\n" + options + "\n}")); err != nil {
		t.Fatal(err)
	}
	if err := former.Provision(newContext(t)); err != nil {
		t.Fatal(err)
	}
	a := &lateApp{T: t, h: former}
	a.answers("X-Session-Update", `{"n":1}`)
	a.h = mustProvision(t, strings.Replace(options, lateKey, "a key that is new", 1))
	if err := former.Cleanup(); err != nil {
		t.Fatal(err)
	}
	a.says(http.StatusNoContent, `X-Session-Update: {"late":1}`)
	a.signs("a key that is new", a.url, http.StatusForbidden, `X-Session-Update: {"late":2}`)
	a.has(`{"n":1,"late":1}`)
	a.says(http.StatusForbidden, `X-Session-Update: {"late":3}`)
	a.signs("a key that is new", a.url, http.StatusNoContent, `X-Session-Update: {"late":3}`)
	a.has(`{"n":1,"late":3}`)
}
