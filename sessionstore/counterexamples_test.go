package sessionstore_test

import (
	"testing"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// What goes wrong when one part of the rule in succession.go is missing. Each was found by a model
// of it, and each name says which part the test holds.

func twoProxies(t *testing.T, o sessionstore.Options) (one, two *rig) {
	one = newRig(t, o)
	return one, one.another(o)
}

// TestC1ALoginIsNeverLed: the attacker has planted an id, and the victim's login with it is under
// way. The attacker logs in with it first. Led to the attacker's successor, the victim's login
// would be under the attacker's cookie.
func TestC1ALoginIsNeverLed(t *testing.T) {
	for name, o := range map[string]sessionstore.Options{"by a field": {RegenerateOn: paths("user")}, "asked for": {}} {
		one, two := twoProxies(t, o)
		parts := func(user string) []part {
			list := []part{update(`{"user":"` + user + `"}`)}
			if o.RegenerateOn == nil {
				list = append(list, regenerate)
			}
			return list
		}
		planted := one.begin(update(`{"a":1}`))
		victim := two.exists(planted)
		attacker := one.do(one.exists(planted), parts("attacker")...)
		out := two.do(victim, parts("victim")...)
		two.outcome(out, sessionstore.Saved, sessionstore.CookieSet)
		two.want(out.ID, `{"a":1,"user":"victim"}`)
		one.want(attacker.ID, `{"a":1,"user":"attacker"}`)
		// The same when the attacker has used the new id: then the victim's login is dropped.
		planted = one.begin(update(`{"a":1}`))
		victim = two.exists(planted)
		attacker = one.do(one.exists(planted), parts("attacker")...)
		one.exists(attacker.ID)
		two.outcome(two.do(victim, parts("victim")...), sessionstore.Dropped, sessionstore.CookieKept)
		one.want(attacker.ID, `{"a":1,"user":"attacker"}`)
		if t.Failed() {
			t.Fatal(name)
		}
	}
}

// TestC2ADoubleClickIsLoggedInByEitherAnswer: the browser drops the first answer and sees the
// second one.
func TestC2ADoubleClickIsLoggedInByEitherAnswer(t *testing.T) {
	one, two := twoProxies(t, sessionstore.Options{RegenerateOn: paths("user")})
	id := one.begin(update(`{"a":1}`))
	first, second := one.exists(id), two.exists(id)
	outs := []sessionstore.Outcome{one.do(first, update(`{"user":"u"}`)), two.do(second, update(`{"user":"u"}`))}
	for _, out := range outs {
		one.outcome(out, sessionstore.Saved, sessionstore.CookieSet)
		one.want(out.ID, `{"a":1,"user":"u"}`)
	}
}

// TestC3TheOldIDEndsBeforeTheFirstUseGoesOn, and before that is noted in the new record: whenever a
// load by the new id has returned, nobody is in the session by the old one, even if the proxy is
// killed then.
func TestC3TheOldIDEndsBeforeTheFirstUseGoesOn(t *testing.T) {
	one, two := twoProxies(t, sessionstore.Options{})
	id := one.begin(update(`{"a":1}`))
	newID := one.do(one.exists(id), regenerate).ID
	one.store.before(set, 0, loseOf(id))
	if _, err := one.Load(t.Context(), newID, here); err == nil {
		t.Error("it was served while the old record could not be ended")
	}
	one.store.heal()
	two.exists(id)
	if s := two.exists(newID); !s.FirstUse() {
		t.Error("the failed load has noted that the id is used")
	}
	one.gone(id)
}

// TestC4AMarkLeadsThoseBeforeItsSuccessorOnly: a later request is in hand when the first use ends
// the old record.
func TestC4AMarkLeadsThoseBeforeItsSuccessorOnly(t *testing.T) {
	one, two := twoProxies(t, sessionstore.Options{})
	id := one.begin(update(`{"a":1}`))
	under := two.exists(id)
	newID := one.do(one.exists(id), regenerate).ID
	later := two.exists(id)
	one.exists(newID)
	two.outcome(two.do(later, update(`{"later":1}`)), sessionstore.Dropped, sessionstore.CookieKept)
	two.outcome(two.do(later, destroy), sessionstore.Saved, sessionstore.CookieExpired)
	two.outcome(two.do(under, update(`{"under":1}`)), sessionstore.Saved, sessionstore.CookieKept)
	one.want(newID, `{"a":1,"under":1}`)
	// One that came between two successors is led to the second one only.
	id = one.begin(update(`{"a":1}`))
	first := one.do(one.exists(id), regenerate).ID
	between := two.exists(id)
	second := one.do(one.exists(id), regenerate).ID
	one.exists(first)
	two.outcome(two.do(between, update(`{"between":1}`)), sessionstore.Dropped, sessionstore.CookieKept)
	one.want(first, `{"a":1}`)
	one.want(second, `{"a":1}`)
}

// TestC5AConflictMakesNobodyUnderWay: what counts is what the request had loaded.
func TestC5AConflictMakesNobodyUnderWay(t *testing.T) {
	one, two := twoProxies(t, sessionstore.Options{})
	id := one.begin(update(`{"a":1}`))
	newID := one.do(one.exists(id), regenerate).ID
	later := two.exists(id)
	one.do(one.exists(id), update(`{"other":1}`))
	out := two.do(later, update(`{"later":1}`))
	if out.Conflicts != 1 || out.Result != sessionstore.Saved {
		t.Errorf("%+v", out)
	}
	one.want(id, `{"a":1,"other":1,"later":1}`)
	one.want(newID, `{"a":1}`)
}

// TestC6ADestroyOfAMarkedSessionLeavesAMark: those under way find their way to the successor, which
// lives.
func TestC6ADestroyOfAMarkedSessionLeavesAMark(t *testing.T) {
	one, two := twoProxies(t, sessionstore.Options{})
	id := one.begin(update(`{"a":1}`))
	under := two.exists(id)
	newID := one.do(one.exists(id), regenerate).ID
	one.do(one.exists(id), destroy)
	one.gone(id)
	two.outcome(two.do(under, update(`{"under":1}`)), sessionstore.Saved, sessionstore.CookieKept)
	one.want(newID, `{"a":1,"under":1}`)
}

// TestC7TheNewRecordIsWrittenBeforeTheMark: the proxy is killed in between, and nobody is led to
// nothing.
func TestC7TheNewRecordIsWrittenBeforeTheMark(t *testing.T) {
	for n := 1; n <= 2; n++ {
		one, two := twoProxies(t, sessionstore.Options{})
		id := one.begin(update(`{"a":1}`))
		s, under := one.exists(id), two.exists(id)
		one.store.before(set, n, then(func() {
			two.do(under, update(`{"under":1}`))
			two.want(id, `{"a":1,"under":1}`)
		}))
		one.do(s, regenerate)
		two.want(id, `{"a":1,"under":1}`)
	}
}

// TestC8ALogoutUnderWayEndsTheOldIDFirst: the proxy is killed in between. Whoever tries again, by
// either id, is logged out.
func TestC8ALogoutUnderWayEndsTheOldIDFirst(t *testing.T) {
	for again, by := range map[string]int{"by the old id": 0, "by the new id": 1} {
		one, two := twoProxies(t, sessionstore.Options{})
		id := one.begin(update(`{"a":1}`))
		under := two.exists(id)
		newID := one.do(one.exists(id), regenerate).ID
		two.store.before(del, 2, lose)
		two.refuse(errLost, under, destroy)
		one.gone(id)
		if by == 0 {
			two.store.heal()
			two.do(under, destroy)
		} else {
			one.do(one.exists(newID), destroy)
		}
		one.gone(id)
		one.gone(newID)
		if t.Failed() {
			t.Fatal(again)
		}
	}
}

// TestC9NoCookieOfAMarkedSession: it could arrive after the one of the new id.
func TestC9NoCookieOfAMarkedSession(t *testing.T) {
	for name, parts := range map[string][]part{
		"permanent": {permanent(true)}, "emptied": {update(`{"a":null}`)}, "a change": {update(`{"b":1}`)},
	} {
		one, two := twoProxies(t, sessionstore.Options{})
		id := one.begin(update(`{"a":1}`))
		under := two.exists(id)
		one.do(one.exists(id), regenerate)
		for _, s := range []*sessionstore.Session{two.exists(id), under} {
			if two.Current(t.Context(), s) {
				t.Errorf("%s: its cookie may be set again", name)
			}
			out := two.do(s, parts...)
			if out.Cookie != sessionstore.CookieKept || !out.Former {
				t.Errorf("%s: %+v", name, out)
			}
		}
	}
}

// TestC12ALogoutHoldsBesideASlowResponse: the app's logout has replaced who is logged in, and the
// browser has not used the new id. A response that was under way calls for a new id too, and its
// cookie reaches the browser last.
func TestC12ALogoutHoldsBesideASlowResponse(t *testing.T) {
	o := sessionstore.Options{RegenerateOn: paths("user", "as.role")}
	app := both(update(`{"uid":7,"cart":[1]}`), cookies("app=ada", "lang=en"))
	native := both(update(`{"user":"ada","as":{"role":"boss"},"cart":[1]}`), cookies("app=ada", "lang=en"))
	for name, c := range map[string]struct {
		login, logout, slow part
		data, cookies       string
	}{
		"vault, replaced": {app, loginCookies("app=anon"), loginCookies("note=1"), `{"uid":7,"cart":[1]}`, "lang=en; note=1"},
		"vault, deleted": {app, both(loginCookies("app=; Max-Age=0", "bye=1")), loginCookies("note=1"), `{"uid":7,"cart":[1]}`,
			"lang=en; note=1"},
		"vault, and the slow response sets it as it was": {app, loginCookies("app=anon"), loginCookies("app=ada", "note=1"),
			`{"uid":7,"cart":[1]}`, "lang=en; note=1"},
		"vault, asked for": {native, loginCookies("app=anon"), regenerate, `{"user":"ada","as":{"role":"boss"},"cart":[1]}`, "lang=en"},
		"adopt":            {app, both(update(`{"uid":null,"m":1}`), looksLikeALogin), both(update(`{"email":"a"}`), looksLikeALogin), `{"cart":[1],"email":"a"}`, "app=ada; lang=en"},
		"adopt, beside the vault": {app, both(update(`{"uid":0}`), looksLikeALogin), loginCookies("note=1"), `{"cart":[1]}`,
			"app=ada; lang=en; note=1"},
		"a field": {native, update(`{"user":null,"as":{"role":"none"}}`), regenerate, `{"as":{},"cart":[1]}`, "app=ada; lang=en"},
		"a field, beside a login by another": {native, update(`{"user":"bob"}`), update(`{"as":{"role":"pope"}}`),
			`{"as":{"role":"pope"},"cart":[1]}`, "app=ada; lang=en"},
	} {
		t.Run(name, func(t *testing.T) {
			one, two := twoProxies(t, o)
			id := one.begin(c.login)
			slow := two.exists(id)
			logout := one.do(one.exists(id), c.logout)
			one.outcome(logout, sessionstore.Saved, sessionstore.CookieSet)
			out := two.do(slow, c.slow)
			two.outcome(out, sessionstore.Saved, sessionstore.CookieSet)
			two.want(out.ID, c.data)
			two.keeps(out.ID, c.cookies)
			one.exists(logout.ID)
		})
	}
}
