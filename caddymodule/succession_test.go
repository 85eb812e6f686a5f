package caddymodule

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/caddymodule/explain"
	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/memory"
)

// ask sends a request with cookies, answered with headers given in pairs. It returns the data that
// the app got, and the response.
func ask(t *testing.T, h *Handler, cookies []*http.Cookie, pairs ...string) (data string, w *httptest.ResponseRecorder) {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	for _, c := range cookies {
		r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
	}
	w, err := serve(h, r, func(w http.ResponseWriter, r *http.Request) error {
		data = r.Header.Get("X-Session-Data")
		for i := 0; i < len(pairs); i += 2 {
			w.Header().Add(pairs[i], pairs[i+1])
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return data, w
}

// The attacker's cookie has a longer path, so browsers send it first. Its session has a successor,
// the victim's login. This is counterexample C10 of sessionstore/mutations_test.go.
func TestAttackPlantedOldIDBeforeTheNewOne(t *testing.T) {
	for name, vaulted := range map[string]bool{"regenerate": false, "the vault alone": true} {
		h := mustProvision(t, inMemory(t, "vault sid"))
		planted := create(t, h, `{"planted":1}`)
		pairs := []string{"X-Session-Update", `{"user":"victim"}`, "X-Session-Control", "regenerate"}
		if vaulted {
			pairs = []string{"X-Session-Update", `{"user":"victim"}`, "Set-Cookie", "sid=1; HttpOnly"}
		}
		_, w := ask(t, h, []*http.Cookie{planted}, pairs...)
		given := w.Result().Cookies()
		if len(given) != 1 || given[0].Value == planted.Value {
			t.Fatalf("%s: %v", name, given)
		}
		for _, cookies := range [][]*http.Cookie{{planted, given[0]}, {given[0], planted}} {
			if data, _ := ask(t, h, cookies); data != `{"planted":1,"user":"victim"}` {
				t.Errorf("%s: %s", name, data)
			}
		}
	}
}

// Dead cookies before the live one do not hide it, up to this number.
func TestSixteenCookiesAreLookedUp(t *testing.T) {
	h := mustProvision(t, inMemory(t, ""))
	var dead []*http.Cookie
	for range 16 {
		c := create(t, h, `{"a":1}`)
		ask(t, h, []*http.Cookie{c}, "X-Session-Control", "destroy")
		dead = append(dead, c)
	}
	live := create(t, h, `{"live":1}`)
	for n, want := range map[int]string{3: `{"live":1}`, 15: `{"live":1}`, 16: `{}`} {
		if data, _ := ask(t, h, append(dead[:n:n], live)); data != want {
			t.Errorf("behind %d: %s, want %s", n, data, want)
		}
	}
}

// The explanation is of the session that a request gets: not of one with a successor, and not of
// none because of cookies that nobody has signed.
func TestExplainedIsTheSessionThatCounts(t *testing.T) {
	h := mustProvision(t, inMemory(t, ""))
	planted := create(t, h, `{"planted":1}`)
	_, w := ask(t, h, []*http.Cookie{planted}, "X-Session-Update", `{"user":"victim"}`, "X-Session-Control", "regenerate")
	given := w.Result().Cookies()[0]
	forged := &http.Cookie{Name: planted.Name, Value: "made.up"}
	many := slices.Repeat([]*http.Cookie{forged}, 16)
	for _, test := range []struct {
		cookies []*http.Cookie
		counts  *http.Cookie
	}{
		{[]*http.Cookie{planted}, planted},
		{[]*http.Cookie{planted, given}, given},
		{[]*http.Cookie{given, planted}, given},
		{append(many, given), given},
		{append(many, planted, given), given},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		for _, c := range test.cookies {
			r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
		}
		id, _, _ := strings.Cut(test.counts.Value, ".")
		steps := h.ExplainRequest(prepare(httptest.NewRecorder(), r), "").Steps
		if !slices.ContainsFunc(steps, func(s explain.Step) bool {
			return s.What == "record" && !s.Wrong && strings.Contains(s.Says, sessionstore.Ref(id))
		}) {
			t.Errorf("%d cookies: %+v", len(test.cookies), steps)
		}
	}
	if data, _ := ask(t, h, append(many, planted, given)); data != `{"planted":1,"user":"victim"}` {
		t.Errorf("the request gets %s", data)
	}
}

// A request stops at the session that counts, so what is behind that is not explained: neither is a
// record that cannot be read.
func TestExplainedIsNothingBehindTheSessionThatCounts(t *testing.T) {
	h, mem := mustProvision(t, inMemory(t, "")), memory.New(memory.Options{})
	t.Cleanup(func() { _ = mem.Close() })
	withStore(t, h, "memory", func() (sessionstore.Store, func(), error) { return mem, func() {}, nil })
	good, damaged := create(t, h, `{"a":1}`), create(t, h, `{"b":1}`)
	id, _, _ := strings.Cut(damaged.Value, ".")
	was, err := mem.Get(t.Context(), sessionstore.Ref(id))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := mem.CompareAndSet(t.Context(), sessionstore.Ref(id), was.Value, []byte("damaged"), time.Hour); err != nil {
		t.Fatal(err)
	}
	if data, _ := ask(t, h, []*http.Cookie{good, damaged}); data != `{"a":1}` {
		t.Fatalf("the request gets %s", data)
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	for _, c := range []*http.Cookie{good, damaged} {
		r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
	}
	passage := h.ExplainRequest(prepare(httptest.NewRecorder(), r), "")
	if passage.Refused != nil || slices.ContainsFunc(passage.Steps, func(s explain.Step) bool { return s.What == "store" && s.Wrong }) {
		t.Errorf("%v, %+v", passage.Refused, passage.Steps)
	}
}

// The sessions of all cookies in the request end, even of those that were not looked up. Otherwise
// the next request would find them.
func TestDestroyEndsTheSessionsOfAllCookies(t *testing.T) {
	for name, update := range map[string]string{"alone": "", "beside a message": `{"bye":1}`} {
		h := mustProvision(t, inMemory(t, ""))
		var all []*http.Cookie
		for range 20 {
			all = append(all, create(t, h, `{"a":1}`))
		}
		pairs := []string{"X-Session-Control", "destroy"}
		if update != "" {
			pairs = append(pairs, "X-Session-Update", update)
		}
		_, w := ask(t, h, all, pairs...)
		if c := w.Result().Cookies(); len(c) != 1 || (c[0].MaxAge < 0) != (update == "") {
			t.Errorf("%s: %v", name, c)
		}
		for i, c := range all {
			if data, _ := ask(t, h, []*http.Cookie{c}); data != "{}" {
				t.Errorf("%s: session %d is still there", name, i)
			}
		}
	}
}

// TestRefusedDestroyEndsNoSession has cookies of two sessions, and changes that are not valid, or a
// login beyond the limit: both sessions stay as they were.
func TestRefusedDestroyEndsNoSession(t *testing.T) {
	for name, c := range map[string]struct {
		options, control, update string
		status                   int
	}{
		"an edit that does not apply": {"", "destroy", `[{"op":"replace","path":"/x","value":1}]`, http.StatusBadGateway},
		"too many data":               {"", "destroy", `{"x":"` + strings.Repeat("x", 5000) + `"}`, http.StatusBadGateway},
		"end-all without users":       {"", "end-all", "", http.StatusBadGateway},
		"end-others without users":    {"", "destroy, end-others", "", http.StatusBadGateway},
		"one edit of several":         {"user user", "end-all", `[{"op":"add","path":"/a","value":1},{"op":"remove","path":"/x"}]`, http.StatusBadGateway},
		"a login beyond the limit":    {"user user\nmax_user_sessions 1 refuse", "destroy", `{"user":"zoe"}`, http.StatusForbidden},
	} {
		h := mustProvision(t, inMemory(t, c.options))
		if c.status == http.StatusForbidden {
			create(t, h, `{"user":"zoe"}`)
		}
		all := []*http.Cookie{create(t, h, `{"a":1}`), create(t, h, `{"b":2}`)}
		r := withCookies(all...)
		pairs := []string{"X-Session-Control", c.control}
		if c.update != "" {
			pairs = append(pairs, "X-Session-Update", c.update)
		}
		if _, err := serve(h, r, answering(pairs...)); statusOf(err) != c.status {
			t.Errorf("%s: %v", name, err)
		}
		for i, want := range []string{`{"a":1}`, `{"b":2}`} {
			if data, _ := ask(t, h, all[i:i+1]); data != want {
				t.Errorf("%s: session %d has %s, want %s", name, i, data, want)
			}
		}
	}
}

// An id with a successor gets no new cookie when the keys rotate.
func TestNoCookieOfAnIDThatHasASuccessor(t *testing.T) {
	h := mustProvision(t, inMemory(t, ""))
	old := create(t, h, `{"a":1}`)
	ask(t, h, []*http.Cookie{old}, "X-Session-Control", "regenerate")
	rotated := mustProvision(t, strings.Replace(inMemory(t, ""), testSecret, "a-new-key-of-32-bytes-0123456789 "+testSecret, 1))
	data, w := ask(t, rotated, []*http.Cookie{old})
	if c := w.Result().Cookies(); data != `{"a":1}` || len(c) != 0 {
		t.Errorf("%s, %v", data, c)
	}
	_, w = ask(t, rotated, []*http.Cookie{old}, "X-Session-Control", "destroy")
	if c := w.Result().Cookies(); len(c) != 1 || c[0].MaxAge >= 0 {
		t.Errorf("a logout leaves the cookie: %v", c)
	}
}

// The first use of a new id is recorded even without a change, so that later requests need one
// read.
func TestFirstUseIsRecordedWithoutAChange(t *testing.T) {
	h, store := withCountedStore(t, "")
	old := create(t, h, `{"a":1}`)
	_, w := ask(t, h, []*http.Cookie{old}, "X-Session-Control", "regenerate")
	cookies := w.Result().Cookies()
	ask(t, h, cookies)
	signer, err := h.cookies(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	id, _, _ := signer.Verify(cookies[0].Value)
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		entry, err := store.Get(t.Context(), sessionstore.Ref(id))
		var rec sessionstore.Record
		if err == nil {
			err = sessionstore.Native{}.Decode(entry.Value, &rec)
		}
		if err != nil || time.Now().After(end) {
			t.Fatalf("pred %q, %v", rec.Pred, err)
		}
		if rec.Pred == "" {
			return
		}
	}
}
