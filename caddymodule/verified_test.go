package caddymodule

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/signer"
)

// counting counts what is verified.
type counting struct {
	*signer.Signer
	n int
}

func (c *counting) Verify(value string) (id string, stale, ok bool) {
	c.n++
	return c.Signer.Verify(value)
}

func mustSigner(tb testing.TB, keys ...string) *signer.Signer {
	tb.Helper()
	var opts signer.Options
	for _, key := range keys {
		opts.Keys = append(opts.Keys, []byte(key))
	}
	s, err := signer.New(opts)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func remembered(v *verified, value string) *verifiedCookie {
	_, slot := v.slot(value)
	return slot.cookie.Load()
}

func TestVerifiedCookiesAreRemembered(t *testing.T) {
	old := mustSigner(t, testSecret)
	cookies := &counting{Signer: mustSigner(t, strings.Repeat("new", 11), testSecret)}
	fresh, stale := sessionstore.NewID(), sessionstore.NewID()
	for value, want := range map[string]signed{
		cookies.Sign(fresh): {fresh, sessionstore.Ref(fresh), false},
		old.Sign(stale):     {stale, sessionstore.Ref(stale), true},
	} {
		v := newVerified()
		cookies.n = 0
		for i := range 5 {
			if got, ok := v.get(value, cookies, sessionstore.ValidID); !ok || got != want {
				t.Fatalf("time %d: %+v, %v; want %+v", i+1, got, ok, want)
			}
		}
		if cookies.n != 2 {
			t.Errorf("5 requests verified the cookie %d times, want 2: who comes once is not remembered", cookies.n)
		}
		if got := testing.AllocsPerRun(100, func() { v.get(value, cookies, sessionstore.ValidID) }); got > 0 {
			t.Errorf("what is remembered takes %v allocations, want none", got)
		}
	}
}

// TestWhatDoesNotVerifyIsNotRemembered: neither by itself nor for looking like what is.
func TestWhatDoesNotVerifyIsNotRemembered(t *testing.T) {
	cookies := mustSigner(t, testSecret)
	v := newVerified()
	id := sessionstore.NewID()
	good := cookies.Sign(id)
	bad := map[string]string{
		"another id":        sessionstore.NewID() + good[len(id):],
		"another key":       mustSigner(t, strings.Repeat("x", 32)).Sign(id),
		"cut short":         good[:len(good)-1],
		"one byte more":     good + "A",
		"not an id of ours": cookies.Sign("../" + id[3:]),
		"too long":          cookies.Sign(strings.Repeat("i", maxCookieValue)),
		"nothing":           "",
	}
	for i := range len(good) {
		b := []byte(good)
		b[i] ^= 1
		bad[fmt.Sprintf("byte %d", i)] = string(b)
	}
	for range 3 {
		if _, ok := v.get(good, cookies, sessionstore.ValidID); !ok {
			t.Fatal("a good cookie was refused")
		}
		for name, value := range bad {
			// The slot of another value is no way in: have each meet what is remembered in it.
			_, slot := v.slot(value)
			slot.cookie.Store(remembered(v, good))
			for range 3 {
				if got, ok := v.get(value, cookies, sessionstore.ValidID); ok {
					t.Errorf("%s: taken for %+v", name, got)
				}
			}
		}
	}
}

// TestMoreVisitorsThanAreRemembered: each is known for who it is, also while they drive each other out.
func TestMoreVisitorsThanAreRemembered(t *testing.T) {
	cookies := mustSigner(t, testSecret)
	v := newVerified()
	visitors := make(map[string]string)
	for range 2 * verifiedSlots {
		id := sessionstore.NewID()
		visitors[cookies.Sign(id)] = id
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 2 {
				for value, id := range visitors {
					if got, ok := v.get(value, cookies, sessionstore.ValidID); !ok || got.id != id || got.ref != sessionstore.Ref(id) {
						t.Errorf("a visitor's cookie says %+v, %v", got, ok)
						return
					}
				}
			}
		})
	}
	wg.Wait()
}

// TestARememberedCookieSaysNothingAboutTheSession: that may have ended, or the configuration may have other keys by now.
func TestARememberedCookieSaysNothingAboutTheSession(t *testing.T) {
	options := inMemory(t, "")
	h := mustProvision(t, options)
	cookie := create(t, h, `{"user":"alice"}`)
	visit := func(h *Handler, control string) string {
		t.Helper()
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.AddCookie(cookie)
		var data string
		if _, err := serve(h, r, func(w http.ResponseWriter, r *http.Request) error {
			data = r.Header.Get("X-Session-Data")
			if control != "" {
				w.Header().Set("X-Session-Control", control)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return data
	}
	for range 3 {
		if got := visit(h, ""); got != `{"user":"alice"}` {
			t.Fatalf("the session holds %s", got)
		}
	}
	if remembered(h.verified, cookie.Value) == nil {
		t.Fatal("the cookie is not remembered: this test shows nothing")
	}
	other := mustProvision(t, strings.Replace(options, testSecret, strings.Repeat("o", 32), 1))
	if got := visit(other, ""); got != "{}" {
		t.Errorf("with another key, the cookie leads to %s", got)
	}
	visit(h, "destroy")
	if got := visit(h, ""); got != "{}" {
		t.Errorf("after its end, the session holds %s", got)
	}
}
