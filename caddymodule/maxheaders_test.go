package caddymodule

import (
	"cmp"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddy-session/caddy-session/frameworks/flask/securecookie"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// The operator learns at the start, and not from a user with much data, that most servers refuse
// the length.
func TestMaxSizeWarnsAtTheStart(t *testing.T) {
	const adopt = "adopt flask {\nsecret dev\n}\n"
	for name, tt := range map[string]struct {
		options string
		fits    int // the largest max_size without a warning; 0: there is none
	}{
		"json":            {"", 8172},
		"base64":          {"encoding base64\n", 6056},
		"adopt":           {adopt, 6051},
		"no data":         {"forward none\n", 0},
		"max_headers":     {"max_headers 6000\n", 0},
		"no data, adopt":  {"forward none\n" + adopt, 6051},
		"max_headers too": {"max_headers 6000\n" + adopt, 0},
	} {
		for _, over := range []int{0, 3} {
			size := cmp.Or(tt.fits, 16000) + over
			h := mustProvision(t, inMemory(t, tt.options+"max_size "+strconv.Itoa(size)))
			core, logs := observer.New(zap.WarnLevel)
			h.logger = zap.New(core)
			h.warnOfLength()
			if warned := logs.Len() > 0; warned != (tt.fits > 0 && over > 0) {
				t.Errorf("%s: max_size %d: warned %v", name, size, warned)
			}
		}
	}
}

// If the session is too long, an adopted app does not get its cookie, even if the compressed cookie
// alone would fit. When it begins a new session, that replaces the long one: the user can log in
// and out.
func TestMaxHeadersAndAnAdoptedSession(t *testing.T) {
	const secret = "dev"
	signer, err := securecookie.NewSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	cookie := func(data string) string {
		payload, err := securecookie.Codec{}.Encode(&sessionstore.Record{Data: []byte(data)})
		if err != nil {
			t.Fatal(err)
		}
		return "session=" + signer.Seal(payload, time.Now())
	}
	h := mustProvision(t, inMemory(t, "adopt flask {\nsecret "+secret+"\n}\nmax_headers 1000"))
	c := create(t, h, `{"old":"`+strings.Repeat("x", 2000)+`"}`)
	given := look(t, h, c)
	if !strings.HasSuffix(given.Get("X-Session-Info"), ", too-large") || given.Get("Cookie") != "lang=en" {
		t.Fatalf("the app got %q and the cookies %.60q", given.Get("X-Session-Info"), given.Get("Cookie"))
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.AddCookie(c)
	w, err := serve(h, r, respond(http.StatusOK, "Set-Cookie", cookie(`{"new":1}`)))
	if err != nil || len(w.Result().Cookies()) != 1 {
		t.Fatalf("%v, %v", w.Header(), err)
	}
	if got := look(t, h, w.Result().Cookies()[0]).Get("X-Session-Data"); got != `{"new":1}` {
		t.Errorf("the new session holds %.60s", got)
	}
	if info := look(t, h, c).Get("X-Session-Info"); info != "exists=?0" {
		t.Errorf("the former session: %s", info)
	}
}

// Messages that were not forwarded are not removed by flash-seen.
func TestMaxHeadersAndFlashSeen(t *testing.T) {
	h := mustProvision(t, inMemory(t, "max_headers 1000"))
	c := create(t, h, `{"a":"`+strings.Repeat("x", 2000)+`"}`)
	for _, step := range []struct{ name, value string }{
		{"X-Session-Flash", `"saved"`}, {"X-Session-Control", "flash-seen"}, {"X-Session-Update", `{"a":null,"b":1}`},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.AddCookie(c)
		if _, err := serve(h, r, respond(http.StatusOK, step.name, step.value)); err != nil {
			t.Fatal(err)
		}
	}
	if got := look(t, h, c).Get("X-Session-Flash"); got != `[["message","saved"]]` {
		t.Errorf("the messages are %q", got)
	}
}
