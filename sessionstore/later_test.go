package sessionstore_test

import (
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// later is the session for changes that come later than a response with this outcome.
func later(out sessionstore.Outcome) *sessionstore.Session {
	return sessionstore.Later(out.Place, here, out.Ref, new(sessionstore.Session))
}

// A change that comes later than the response is made to the session as it is now.
func TestLaterChange(t *testing.T) {
	bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
		made := r.do(&sessionstore.Session{Scope: here}, update(`{"n":1}`), flash(`"hello"`))
		s := sessionstore.Later(made.Place, here, made.Ref, r.exists(made.ID))
		r.do(r.load(made.ID), update(`{"other":2}`))
		out := r.do(s, update(`{"n":2}`), seen)
		r.outcome(out, sessionstore.Saved, sessionstore.CookieKept)
		r.want(made.ID, `{"n":2,"other":2}`)
		if text := r.load(made.ID).Flash(); text != "" {
			t.Errorf("the messages are %s", text)
		}
		r.outcome(r.do(s, update(`{"n":2}`)), sessionstore.Unchanged, sessionstore.CookieKept)
	})
}

// It goes where a new id has led the session, and does not count as the use of that.
func TestLaterChangeAfterNewID(t *testing.T) {
	bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
		id := r.begin(update(`{"n":1}`))
		under := later(sessionstore.Outcome{Place: r.load(id).Place()})
		login := r.do(r.load(id), update(`{"user":"zoe"}`), regenerate)
		r.do(under, update(`{"n":2}`))
		r.do(later(login), update(`{"inbox":3}`))
		r.want(id, `{"n":1}`) // the answer may be lost
		r.want(login.ID, `{"n":2,"user":"zoe","inbox":3}`, `{"n":1,"user":"zoe","n":2,"inbox":3}`)
		r.gone(id)
	})
}

// What a login says later goes to its own session, and never to that of somebody else who has
// logged in with the same old id.
func TestAttackLaterChangeOfAPlantedLogin(t *testing.T) {
	bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
		planted := r.begin(update(`{"n":1}`))
		victim, attacker := r.load(planted), r.load(planted)
		login := r.do(victim, update(`{"user":"victim"}`), regenerate)
		theirs := r.do(attacker, update(`{"user":"attacker"}`), regenerate)
		r.do(later(login), update(`{"secret":1}`))
		r.want(theirs.ID, `{"n":1,"user":"attacker"}`)
		r.want(login.ID, `{"n":1,"user":"victim","secret":1}`)
	})
}

// A new id cannot be given any more, whatever calls for it.
func TestAttackLaterChangeForANewID(t *testing.T) {
	bubble(t, sessionstore.Options{RegenerateOn: paths("user")}, func(t *testing.T, r *rig) {
		made := r.do(&sessionstore.Session{Scope: here}, update(`{"n":1}`))
		r.refuse(sessionstore.ErrNeedsCookie, later(made), regenerate)
		r.refuse(sessionstore.ErrNeedsCookie, later(made), update(`{"n":2}`), regenerate)
		r.refuse(sessionstore.ErrNeedsCookie, later(made), update(`{"user":"zoe"}`))
		r.refuse(sessionstore.ErrNeedsCookie, later(made), update(`{"n":2}`), destroy)
		r.want(made.ID, `{"n":1}`)
		r.do(r.load(made.ID), regenerate)
		r.refuse(sessionstore.ErrNeedsCookie, later(made), update(`{"user":"zoe"}`))
	})
}

// A session that has ended does not come back.
func TestAttackLaterChangeAfterLogout(t *testing.T) {
	bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
		for name, end := range map[string]func(id string){
			"destroyed": func(id string) { r.do(r.load(id), destroy) },
			"emptied":   func(id string) { r.do(r.load(id), update(`{"n":null}`)) },
			"expired":   func(string) { time.Sleep(25 * time.Hour) },
		} {
			made := r.do(&sessionstore.Session{Scope: here}, update(`{"n":1}`))
			end(made.ID)
			if out := r.do(later(made), update(`{"n":2}`)); out.Result != sessionstore.Dropped {
				t.Errorf("%s: %+v", name, out)
			}
			r.gone(made.ID)
		}
	})
}

// A logout that comes later ends the session under its new id and under the old one, whose
// successor nobody has used yet.
func TestLaterLogout(t *testing.T) {
	for name, logout := range map[string]part{"destroyed": destroy, "emptied": update(`{"n":null}`)} {
		t.Run(name, func(t *testing.T) {
			bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
				id := r.begin(update(`{"n":1}`))
				out := r.do(r.load(id), regenerate)
				r.outcome(r.do(later(out), logout), sessionstore.Saved, map[bool]sessionstore.Cookie{true: sessionstore.CookieExpired}[name == "destroyed"])
				r.gone(out.ID)
				r.gone(id)
			})
		})
	}
}

// Whether the cookie outlives the browser is told by the next response.
func TestLaterPermanent(t *testing.T) {
	bubble(t, sessionstore.Options{CookieMark: "mark"}, func(t *testing.T, r *rig) {
		made := r.do(&sessionstore.Session{Scope: here}, update(`{"n":1}`))
		r.do(later(made), permanent(true))
		if s := r.load(made.ID); !s.Permanent() || !s.CookieOutdated() {
			t.Errorf("permanent: %t, to be set again: %t", s.Permanent(), s.CookieOutdated())
		}
	})
}

// A change that is refused ends nobody's sessions.
func TestAttackLaterEndOthersOfAnotherUser(t *testing.T) {
	bubble(t, sessionstore.Options{User: paths("user")[0], RegenerateOn: paths("user")}, func(t *testing.T, r *rig) {
		bob := r.begin(update(`{"user":"bob"}`))
		made := r.do(&sessionstore.Session{Scope: here}, update(`{"user":"zoe"}`))
		r.refuse(sessionstore.ErrNeedsCookie, later(made), update(`{"user":"bob"}`), func(c *sessionstore.Change) { c.EndOthers = true })
		r.exists(bob)
		r.want(made.ID, `{"user":"zoe"}`)
	})
}

// The other sessions of the user end.
func TestLaterEndOthers(t *testing.T) {
	bubble(t, sessionstore.Options{User: paths("user")[0]}, func(t *testing.T, r *rig) {
		made := r.do(&sessionstore.Session{Scope: here}, update(`{"user":"zoe"}`))
		other := r.begin(update(`{"user":"zoe"}`))
		r.do(later(made), func(c *sessionstore.Change) { c.EndOthers = true })
		r.gone(other)
		r.exists(made.ID)
	})
}
