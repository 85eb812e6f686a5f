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

// privately returns what remembers cookies in a room of its own.
func privately(slots int) verified { return verified{newVerifiedRoom(slots), 1} }

func TestVerifiedCookiesAreRemembered(t *testing.T) {
	old := mustSigner(t, testSecret)
	cookies := &counting{Signer: mustSigner(t, strings.Repeat("new", 11), testSecret)}
	fresh, stale := sessionstore.NewID(), sessionstore.NewID()
	for value, want := range map[string]signed{
		cookies.Sign(fresh): {fresh, sessionstore.Ref(fresh), false},
		old.Sign(stale):     {stale, sessionstore.Ref(stale), true},
	} {
		v := privately(verifiedSlots)
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
	v := privately(verifiedSlots)
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
			from, ref := v.room.slot(v.hash(good))
			to, toRef := v.room.slot(v.hash(value))
			to.cookie, *toRef = from.cookie, *ref
			for range 3 {
				if got, ok := v.get(value, cookies, sessionstore.ValidID); ok {
					t.Errorf("%s: taken for %+v", name, got)
				}
			}
		}
	}
}

// TestHandlersDoNotBelieveEachOther: what one has verified with its keys says nothing about those of another.
func TestHandlersDoNotBelieveEachOther(t *testing.T) {
	mine, others := mustSigner(t, testSecret), mustSigner(t, strings.Repeat("o", 32))
	room := newVerifiedRoom(1) // where they meet
	a, b := verified{room, 1}, verified{room, 2}
	value := mine.Sign(sessionstore.NewID())
	for range 3 {
		if _, ok := a.get(value, mine, sessionstore.ValidID); !ok {
			t.Fatal("a good cookie was refused")
		}
		if _, ok := b.get(value, others, sessionstore.ValidID); ok {
			t.Fatal("a handler takes a cookie that only another has the key of")
		}
	}
	if a, b := newVerified(), newVerified(); a.owner == b.owner || a.room != b.room {
		t.Error("handlers do not share the room, or nobody can tell them apart in it")
	}
}

// TestLongCookiesAreVerifiedEachTime: what has no room is not taken for the piece of it that has.
func TestLongCookiesAreVerifiedEachTime(t *testing.T) {
	cookies := &counting{Signer: mustSigner(t, testSecret)}
	v := privately(1)
	anyID := func(string) bool { return true }
	longest := cookies.Sign(strings.Repeat("i", maxRemembered-len(cookies.Sign(""))))
	if len(longest) != maxRemembered {
		t.Fatalf("the value has %d bytes", len(longest))
	}
	for range 3 {
		if _, ok := v.get(longest, cookies, anyID); !ok {
			t.Fatal("a good cookie was refused")
		}
		if _, ok := v.get(longest+"A", cookies, anyID); ok {
			t.Fatal("a longer cookie is taken for a remembered one")
		}
	}
	long := cookies.Sign(strings.Repeat("i", maxRemembered+1-len(cookies.Sign(""))))
	cookies.n = 0
	for range 3 {
		if got, ok := v.get(long, cookies, anyID); !ok || !strings.HasPrefix(long, got.id+".") {
			t.Fatalf("a good cookie says %+v, %v", got, ok)
		}
	}
	if cookies.n != 3 {
		t.Errorf("3 requests verified the cookie %d times", cookies.n)
	}
}

// TestMoreVisitorsThanAreRemembered: each is known for who it is, also while they drive each other out.
func TestMoreVisitorsThanAreRemembered(t *testing.T) {
	cookies := mustSigner(t, testSecret)
	const slots = 1000
	v := privately(slots)
	visitors := make(map[string]string)
	for range 2 * slots {
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
	if slot, _ := h.verified.room.slot(h.verified.hash(cookie.Value)); slot.cookie.owner != h.verified.owner {
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
