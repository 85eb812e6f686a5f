package sessionstore_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/internal/vault"
	"github.com/caddy-session/caddy-session/sessionstore"
)

var page = vault.Request{Host: "example.org", Path: "/", Secure: true}

// cookies are Set-Cookie lines for the vault that call for no new id, loginCookies some that do.
func cookies(lines ...string) part      { return received(vault.NewIDNever, lines) }
func loginCookies(lines ...string) part { return received(vault.NewIDIfChanged, lines) }

func received(newID vault.NewID, lines []string) part {
	return func(c *sessionstore.Change) {
		for _, line := range lines {
			r, ok := vault.Receive(line, page, time.Now())
			if !ok {
				panic("no cookie: " + line)
			}
			r.NewID = newID
			c.Vault = append(c.Vault, r)
		}
	}
}

// keeps checks what the vault of a session sends.
func (r *rig) keeps(id, want string) {
	r.Helper()
	v, err := r.exists(id).Vault()
	if got := v.Header(page, time.Now()); err != nil || got != want {
		r.Errorf("the vault has %q (%v), want %q", got, err, want)
	}
}

func TestCookiesLieBesideTheData(t *testing.T) {
	bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
		id := r.begin(cookies("a=1", "b=2"))
		r.want(id, "{}")
		r.keeps(id, "a=1; b=2")
		r.outcome(r.do(r.exists(id), update(`{"x":1}`)), sessionstore.Saved, sessionstore.CookieKept)
		r.outcome(r.do(r.exists(id), cookies("c=3", "a=; Max-Age=0")), sessionstore.Saved, sessionstore.CookieKept)
		r.want(id, `{"x":1}`)
		r.keeps(id, "b=2; c=3")
		r.outcome(r.do(r.exists(id), cookies("b=2", "d=; Max-Age=0")), sessionstore.Unchanged, sessionstore.CookieKept)
	})
}

func TestCookiesAloneAreASession(t *testing.T) {
	bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
		r.outcome(r.do(&sessionstore.Session{Scope: here}, cookies("a=; Max-Age=0")), sessionstore.Unchanged, sessionstore.CookieKept)
		id := r.begin(update(`{"x":1}`), cookies("a=1"))
		r.outcome(r.do(r.exists(id), update(`{"x":null}`)), sessionstore.Saved, sessionstore.CookieKept)
		r.keeps(id, "a=1")
		r.outcome(r.do(r.exists(id), cookies("a=; Max-Age=0")), sessionstore.Saved, sessionstore.CookieExpired)
		r.gone(id)
	})
}

func TestParallelResponsesSetDifferentCookies(t *testing.T) {
	bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
		id := r.begin(cookies("c=0"))
		managers := []*rig{r, r.another(sessionstore.Options{})}
		var wg sync.WaitGroup
		for i := range 99 {
			s := managers[i%2].exists(id)
			wg.Go(func() { managers[i%2].do(s, cookies(fmt.Sprintf("c%d=%d", i, i))) })
		}
		wg.Wait()
		v, err := r.exists(id).Vault()
		if err != nil || len(v.Cookies()) != 100 {
			t.Errorf("%d cookies, %v", len(v.Cookies()), err)
		}
	})
}

// The attacker has made the victim use an id that the attacker knows. The app knows nothing of that
// id: it gives the victim another cookie of its own at the login, or one more.
func TestAPlantedIDDoesNotSeeALogin(t *testing.T) {
	for name, tt := range map[string]struct {
		login         part
		victim, theft string
	}{
		"another value":           {loginCookies("sid=victim"), "sid=victim; lang=en", "sid=attacker; lang=en"},
		"one more":                {loginCookies("auth=victim"), "sid=attacker; lang=en; auth=victim", "sid=attacker; lang=en"},
		"on another path":         {loginCookies("sid=victim; Path=/app"), "sid=attacker; lang=en", "sid=attacker; lang=en"},
		"deleted and added":       {loginCookies("sid=; Max-Age=0", "sid=victim"), "lang=en; sid=victim", "sid=attacker; lang=en"},
		"beside one that is none": {both(cookies("theme=dark"), loginCookies("auth=victim")), "sid=attacker; lang=en; theme=dark; auth=victim", "sid=attacker; lang=en"},
		"an adopted session's":    {both(update(`{"name":"victim"}`), looksLikeALogin), "sid=attacker; lang=en", "sid=attacker; lang=en"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
				planted := r.begin(loginCookies("sid=attacker", "lang=en"))
				r.outcome(r.do(r.exists(planted), loginCookies("sid=attacker; HttpOnly")), sessionstore.Saved, sessionstore.CookieKept)
				victim := r.do(r.exists(planted), tt.login)
				r.outcome(victim, sessionstore.Saved, sessionstore.CookieSet)
				r.keeps(planted, tt.theft)
				r.want(planted, "{}")
				r.keeps(victim.ID, tt.victim)
			})
		})
	}
}

// What has not changed anything calls for no new id: apps set their cookies again with every
// response.
func TestALoginThatIsThereAlreadyKeepsTheID(t *testing.T) {
	bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
		id := r.begin(loginCookies("sid=1"), update(`{"user":"zoe"}`))
		r.outcome(r.do(r.exists(id), loginCookies("sid=1")), sessionstore.Unchanged, sessionstore.CookieKept)
		r.outcome(r.do(r.exists(id), update(`{"user":"zoe"}`), looksLikeALogin), sessionstore.Unchanged, sessionstore.CookieKept)
		r.outcome(r.do(r.exists(id), loginCookies("sid=; Max-Age=0")), sessionstore.Saved, sessionstore.CookieKept)
		r.want(id, `{"user":"zoe"}`)
		r.keeps(id, "")
	})
}

func looksLikeALogin(c *sessionstore.Change) { c.Login = true }

func both(parts ...part) part {
	return func(c *sessionstore.Change) {
		for _, p := range parts {
			p(c)
		}
	}
}

func TestDestroyDropsCookies(t *testing.T) {
	bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
		id := r.begin(cookies("sid=1"))
		slow := r.exists(id)
		r.outcome(r.do(r.exists(id), destroy, cookies("sid=deleted; Max-Age=0")), sessionstore.Saved, sessionstore.CookieExpired)
		r.gone(id)
		r.outcome(r.do(slow, cookies("sid=2")), sessionstore.Dropped, sessionstore.CookieKept)
		r.gone(id)
		out := r.do(r.exists(r.begin(cookies("sid=1", "a=1"))), destroy, cookies("sid=2"))
		r.outcome(out, sessionstore.Saved, sessionstore.CookieSet)
		r.keeps(out.ID, "sid=2")
	})
}

func TestCookiesThatAreTooMuch(t *testing.T) {
	bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
		id := r.begin(cookies("a=1"), update(`{"x":1}`))
		var many, large []string
		for i := range 100 {
			many = append(many, fmt.Sprintf("c%d=1", i))
			large = append(large, fmt.Sprintf("c%d=%s; Path=/%d", i, strings.Repeat("x", 4000), i))
		}
		r.refuse(sessionstore.ErrTooLarge, r.exists(id), cookies(many...), update(`{"x":2}`))
		r.refuse(sessionstore.ErrTooLarge, r.exists(id), cookies(large[:20]...))
		r.refuse(sessionstore.ErrTooLarge, &sessionstore.Session{Scope: here}, cookies(large[:20]...))
		r.want(id, `{"x":1}`)
		r.keeps(id, "a=1")
		if n := len(r.records()); n != 1 {
			t.Errorf("%d records", n)
		}
	})
}

func TestADamagedVaultIsNotOverwritten(t *testing.T) {
	bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
		id := r.begin(update(`{"x":1}`))
		rec := r.records()[sessionstore.Ref(id)]
		rec.Vault = []byte("damaged")
		r.plant(id, r.encode(rec), time.Hour)
		if _, err := r.exists(id).Vault(); !errors.Is(err, sessionstore.ErrRecord) {
			t.Errorf("the error %v", err)
		}
		before := r.entry(id)
		r.refuse(sessionstore.ErrRecord, r.exists(id), cookies("a=1"))
		if string(r.entry(id).Value) != string(before.Value) {
			t.Error("it was overwritten")
		}
	})
}

func TestForeignFormatsHaveNoVault(t *testing.T) {
	app(t, func(t *testing.T, r *rig) {
		id := r.login()
		r.refuse(sessionstore.ErrInvalid, r.exists(id), cookies("a=1"))
		r.want(id, `{"a":1}`)
	})
}
