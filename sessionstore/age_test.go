package sessionstore_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// open loads a session for a browser that sends these tokens.
func (r *rig) open(id string, tokens ...string) *sessionstore.Session {
	r.Helper()
	s, err := r.LoadKnown(context.Background(), id, sessionstore.Ref(id), here, tokens)
	if err != nil {
		r.Errorf("loading: %v", err)
	}
	return s
}

// has checks the data and the cookies of a session.
func (r *rig) has(s *sessionstore.Session, data, jar string) {
	r.Helper()
	v, err := s.Vault()
	if got := v.Header(page, time.Now()); err != nil || !s.Exists() || s.Data() != data || got != jar {
		r.Errorf("exists: %v, %s and the cookies %q (%v), want %s and %q", s.Exists(), s.Data(), got, err, data, jar)
	}
}

// remember begins a session with a user who is remembered for two weeks, and returns its id and its
// token.
func (r *rig) remember() (id, token string) {
	r.Helper()
	out := r.do(&sessionstore.Session{Scope: here}, update(`{"user":"zoe"}`), flash(`"hello"`), cookies("sid=1", "remember=zoe; Max-Age=1209600", "lang=en; Max-Age=172800"))
	r.outcome(out, sessionstore.Saved, sessionstore.CookieSet)
	if !out.Permanent || out.Browser == "" || !out.CookieEnd.Equal(time.Now().Add(sessionstore.DefaultAbsoluteTimeout)) {
		r.Errorf("the cookie outlives the browser: %v, until %v, beside the token %q", out.Permanent, out.CookieEnd, out.Browser)
	}
	return out.ID, out.Browser
}

func TestLastingCookiesOutliveTheIdleTimeout(t *testing.T) {
	bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
		id, token := r.remember()
		r.has(r.open(id, token), `{"user":"zoe"}`, "sid=1; remember=zoe; lang=en")
		if err := r.Touch(context.Background(), r.open(id, token)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(day - time.Second)
		r.has(r.open(id, token), `{"user":"zoe"}`, "sid=1; remember=zoe; lang=en")
		time.Sleep(time.Second)
		s := r.open(id, token)
		r.has(s, "{}", "remember=zoe; lang=en")
		if s.Flash() != "" || s.Browser() == token {
			t.Errorf("of the session before, %s is left, and the token: %v", s.Flash(), s.Browser() == token)
		}
		// It is saved: nothing of it comes back.
		r.has(r.open(id, token), "{}", "remember=zoe; lang=en")
		r.outcome(r.do(s, update(`{"user":"zoe"}`)), sessionstore.Saved, sessionstore.CookieKept)
		r.has(r.open(id, s.Browser()), `{"user":"zoe"}`, "remember=zoe; lang=en")
		time.Sleep(day)
		r.has(r.open(id, s.Browser()), "{}", "remember=zoe")
		time.Sleep(12*day - time.Second)
		r.has(r.open(id), "{}", "remember=zoe")
		time.Sleep(day)
		if r.open(id).Exists() {
			t.Error("it outlives its last cookie by more than the idle timeout")
		}
	})
}

func TestLastingCookiesEndWithTheAbsoluteTimeout(t *testing.T) {
	bubble(t, sessionstore.Options{AbsoluteTimeout: 3 * day}, func(t *testing.T, r *rig) {
		id := r.do(&sessionstore.Session{Scope: here}, cookies("remember=zoe; Max-Age=1209600")).ID
		time.Sleep(3*day - time.Second)
		r.has(r.open(id), "{}", "remember=zoe")
		time.Sleep(time.Second)
		if r.open(id).Exists() {
			t.Error("it outlives the absolute timeout")
		}
	})
}

// A session in use does not idle out, whatever its record is kept for.
func TestASessionWithLastingCookiesIsKeptAliveByUse(t *testing.T) {
	bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
		id, token := r.remember()
		for range 10 {
			s := r.open(id, token)
			r.Helper()
			if s.Data() != `{"user":"zoe"}` {
				t.Fatalf("%s is left", s.Data())
			}
			if s.TouchDue() || s.FirstUse() {
				if err := r.Touch(context.Background(), s); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(day - 2*time.Hour)
		}
	})
}

func TestClosingTheBrowserLeavesLastingCookies(t *testing.T) {
	bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
		id, token := r.remember()
		// The answer with the token may be lost, and requests under way do not have it.
		r.has(r.open(id), `{"user":"zoe"}`, "sid=1; remember=zoe; lang=en")
		s := r.open(id, "another", token)
		if !s.FirstUse() {
			t.Fatal("nobody is told to save that the token has come")
		}
		if err := r.Touch(context.Background(), s); err != nil {
			t.Fatal(err)
		}
		if r.open(id, token).FirstUse() {
			t.Error("it is to be saved again")
		}
		r.has(r.open(id, token), `{"user":"zoe"}`, "sid=1; remember=zoe; lang=en")
		// A handler inside of the request that has the session does not ask for the cookie.
		inner, err := r.LoadRef(context.Background(), sessionstore.Ref(id), here)
		if err != nil {
			t.Fatal(err)
		}
		r.has(inner, `{"user":"zoe"}`, "sid=1; remember=zoe; lang=en")

		again := r.open(id)
		r.has(again, "{}", "remember=zoe; lang=en")
		if again.Browser() == "" || again.Browser() == token || !again.Lasts() || again.Permanent() {
			t.Errorf("the token %q, lasts: %v, permanent: %v", again.Browser(), again.Lasts(), again.Permanent())
		}
		r.outcome(r.do(again, update(`{"user":"again"}`)), sessionstore.Saved, sessionstore.CookieKept)
		// Several pages of the last time are opened at once.
		r.has(r.open(id), `{"user":"again"}`, "remember=zoe; lang=en")
		r.has(r.open(id, again.Browser()), `{"user":"again"}`, "remember=zoe; lang=en")
		r.outcome(r.do(r.open(id, again.Browser()), cookies("sid=2")), sessionstore.Saved, sessionstore.CookieKept) // this saves that it has come, too
		if r.open(id, again.Browser()).FirstUse() {
			t.Error("a change has not saved that the token has come")
		}
	})
}

// Who finds the cookies of a closed browser on its disk has the lasting ones, and not the token.
func TestAttackForgedTokenOfAClosedBrowser(t *testing.T) {
	for _, forged := range [][]string{nil, {""}, {"1"}, {"on", "true"}, {sessionstore.NewID()}} {
		bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
			id, token := r.remember()
			if err := r.Touch(context.Background(), r.open(id, token)); err != nil {
				t.Fatal(err)
			}
			r.has(r.open(id, forged...), "{}", "remember=zoe; lang=en")
			r.has(r.open(id, token), "{}", "remember=zoe; lang=en")
		})
	}
}

func TestParallelRequestsOfAReopenedBrowser(t *testing.T) {
	bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
		id, token := r.remember()
		if err := r.Touch(context.Background(), r.open(id, token)); err != nil {
			t.Fatal(err)
		}
		managers := []*rig{r, r.another(sessionstore.Options{})}
		tokens := make([]string, 8)
		var all sync.WaitGroup
		for i := range tokens {
			all.Go(func() {
				s := managers[i%2].open(id)
				r.has(s, "{}", "remember=zoe; lang=en")
				tokens[i] = s.Browser()
			})
		}
		all.Wait()
		for _, other := range tokens {
			if other != tokens[0] || other == "" {
				t.Errorf("the browser was opened more than once: %q", tokens)
			}
		}
	})
}

// Ours outlives the browser only as long as there is a cookie that does.
func TestTheCookieLastsWhileALastingOneIsThere(t *testing.T) {
	bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
		id := r.begin(update(`{"a":1}`), cookies("sid=1"))
		out := r.do(r.open(id), cookies("remember=zoe; Max-Age=1209600"))
		r.outcome(out, sessionstore.Saved, sessionstore.CookieSet)
		if !out.Permanent || out.Browser == "" {
			t.Errorf("with a lasting cookie: %+v", out)
		}
		r.outcome(r.do(r.open(id, out.Browser), cookies("remember=zoe; Max-Age=1209700", "b=1; Max-Age=60")), sessionstore.Saved, sessionstore.CookieKept)
		out = r.do(r.open(id, out.Browser), regenerate)
		r.outcome(out, sessionstore.Saved, sessionstore.CookieSet)
		if !out.Permanent || out.Browser == "" {
			t.Errorf("under a new id: %+v", out)
		}
		id = out.ID
		time.Sleep(time.Minute)
		out = r.do(r.open(id, out.Browser), cookies("remember=; Max-Age=0"))
		r.outcome(out, sessionstore.Saved, sessionstore.CookieSet)
		if out.Permanent || out.Browser != "" {
			t.Errorf("without a lasting cookie: %+v", out)
		}
		r.has(r.open(id), `{"a":1}`, "sid=1")
		time.Sleep(day)
		r.gone(id)
	})
}

// What the app or the operator wants to outlive the browser needs no second cookie.
func TestPermanentSessionsOutliveTheBrowser(t *testing.T) {
	bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
		out := r.do(&sessionstore.Session{Scope: here}, permanent(true), update(`{"a":1}`), cookies("sid=1", "remember=zoe; Max-Age=1209600"))
		if !out.Permanent || out.Browser != "" {
			t.Errorf("%+v", out)
		}
		r.has(r.open(out.ID), `{"a":1}`, "sid=1; remember=zoe")
		time.Sleep(day)
		r.has(r.open(out.ID), "{}", "remember=zoe")
	})
}

// A store that fails leaves everything as it is, and shows nothing that has ended.
func TestAStoreThatFailsWhenTheBrowserIsOpenedAgain(t *testing.T) {
	bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
		id, _ := r.remember()
		time.Sleep(day)
		r.store.before(set, 0, func(context.Context, call) error { return errLost })
		s, err := r.LoadKnown(context.Background(), id, sessionstore.Ref(id), here, nil)
		if err == nil || s.Exists() {
			t.Errorf("the error %v; a session: %v", err, s.Exists())
		}
		r.store.heal()
		r.has(r.open(id), "{}", "remember=zoe; lang=en")
	})
}

// Who only looks sees what would be served: the lasting cookies, without the user and the data. It
// is a session that moves, is counted, and can be ended.
func TestOperatorsSeeWhatLastingCookiesKeep(t *testing.T) {
	bubble(t, byUser, func(t *testing.T, r *rig) {
		id, _ := r.remember()
		began := time.Now()
		sees := func(live, onlyCookies bool, user, data, jar string, expires time.Duration) {
			t.Helper()
			was := r.entry(id)
			i, found, err := r.Describe(sessionstore.Ref(id), was)
			if err != nil || found != live || i.OnlyCookies != onlyCookies || i.User != user || found && !i.Expires.Equal(began.Add(expires)) {
				t.Errorf("live %t, %+v, %v", found, i, err)
			}
			s, _, err := r.Peek(context.Background(), id, here)
			if err != nil || s.Exists() != live || s.Data() != data || s.User() != user {
				t.Errorf("exists %t, %s, %q, %v", s.Exists(), s.Data(), s.User(), err)
			}
			if live {
				r.has(s, data, jar)
			}
			if string(r.entry(id).Value) != string(was.Value) {
				t.Error("looking has changed it")
			}
		}
		sees(true, false, "zoe", `{"user":"zoe"}`, "sid=1; remember=zoe; lang=en", day)
		time.Sleep(day - time.Second)
		sees(true, false, "zoe", `{"user":"zoe"}`, "sid=1; remember=zoe; lang=en", day)
		r.listed("zoe", id)
		time.Sleep(time.Second)
		sees(true, true, "", "{}", "remember=zoe; lang=en", 14*day)
		r.listed("zoe") // it has no user any more
		time.Sleep(13*day - time.Second)
		sees(true, true, "", "{}", "remember=zoe", 14*day)
		time.Sleep(time.Second)
		sees(false, false, "", "{}", "", 0)

		id, _ = r.remember()
		began = time.Now()
		time.Sleep(2*day - time.Second)
		if n, err := r.EndUser(context.Background(), here, "zoe", ""); n != 0 || err != nil {
			t.Errorf("%d sessions of the user have ended, %v", n, err)
		}
		sees(true, true, "", "{}", "remember=zoe; lang=en", 14*day)
		r.end(sessionstore.Ref(id), true)
		r.gone(id)
		r.end(sessionstore.Ref(id), false)
	})
}

// Two handlers with other timeouts may be in the same session. If one of them would serve all of
// it, that counts.
func TestOperatorsSeeLastingCookiesOfSeveralHandlers(t *testing.T) {
	bubble(t, byUser, func(t *testing.T, r *rig) {
		id, _ := r.remember()
		time.Sleep(2 * day)
		with := func(idle time.Duration) *sessionstore.Manager {
			return r.another(sessionstore.Options{User: byUser.User, IdleTimeout: idle}).Manager
		}
		for other, whole := range map[*sessionstore.Manager]bool{with(day / 2): false, with(4 * day): true} {
			for _, all := range []sessionstore.Managers{{r.Manager, other}, {other, r.Manager}} {
				i, live, err := all.Describe("", r.entry(id))
				if !live || err != nil || i.OnlyCookies == whole || (i.User == "zoe") != whole {
					t.Errorf("live %t, %+v, %v", live, i, err)
				}
			}
		}
	})
}

// The absolute timeout ends lasting cookies too, and a record that has an end is not kept for them.
func TestOperatorsSeeNoLastingCookiesBeyondTheEnd(t *testing.T) {
	bubble(t, sessionstore.Options{AbsoluteTimeout: 3 * day}, func(t *testing.T, r *rig) {
		id := r.do(&sessionstore.Session{Scope: here}, cookies("remember=zoe; Max-Age=1209600")).ID
		began := time.Now()
		replaced := r.do(&sessionstore.Session{Scope: here}, cookies("remember=zoe; Max-Age=1209600")).ID
		r.do(r.open(replaced), regenerate)
		time.Sleep(2 * day)
		i, live, err := r.Describe("", r.entry(id))
		if !live || err != nil || !i.OnlyCookies || !i.Expires.Equal(began.Add(3*day)) {
			t.Errorf("live %t, %+v, %v", live, i, err)
		}
		if _, live, err := r.Describe("", r.entry(replaced)); live || err != nil {
			t.Errorf("the old id lives on: %t, %v", live, err)
		}
		time.Sleep(day)
		if _, live, err := r.Describe("", r.entry(id)); live || err != nil || r.open(id).Exists() {
			t.Errorf("live %t, %v", live, err)
		}
	})
}

// A session whose new id was not used ends with the older one, although only lasting cookies are
// left of both.
func TestEndingLastingCookiesEndsThePredecessor(t *testing.T) {
	bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
		id := r.do(&sessionstore.Session{Scope: here}, update(`{"a":1}`), cookies("remember=zoe; Max-Age=1209600")).ID
		newID := r.do(r.open(id), loginCookies("sid=2; HttpOnly")).ID
		time.Sleep(2 * day)
		r.end(sessionstore.Ref(newID), true)
		if r.open(newID).Exists() || r.open(id).Exists() {
			t.Error("it goes on")
		}
	})
}
