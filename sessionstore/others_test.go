package sessionstore_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// A user clicks twice on "change password". The answers come in either order, and the second
// request is served at each step of the first one. The browser stays logged in, and nobody else.
func TestDoubleClickOnEndOthers(t *testing.T) {
	for n, struck := int32(1), true; struck; n++ {
		for last := range 2 {
			one, two := twoProxies(t, byUser)
			id, other := one.begin(loggedIn("zoe")), one.begin(loggedIn("zoe"))
			first, second := one.exists(id), two.exists(id)
			var steps atomic.Int32
			var answers [2]sessionstore.Outcome
			at := func(context.Context, call) error {
				if steps.Add(1) == n {
					answers[1] = two.do(second, regenerate, endOthers)
				}
				return nil
			}
			for _, o := range []op{get, set, del} {
				one.store.before(o, 0, at)
			}
			answers[0] = one.do(first, regenerate, endOthers)
			one.store.heal()
			if struck = steps.Load() >= n; !struck {
				answers[1] = two.do(second, regenerate, endOthers)
			}
			one.gone(other)
			one.exists(id) // until a new id is used
			for _, a := range []sessionstore.Outcome{answers[1-last], answers[last]} {
				one.outcome(a, sessionstore.Saved, sessionstore.CookieSet)
				two.want(a.ID, `{"user":"zoe"}`)
				one.gone(id)
			}
			if t.Failed() {
				t.Fatalf("step %d, the cookie of request %d", n, last+1)
			}
		}
	}
}

// A thief has made himself new ids with a cookie that he has stolen, and uses none of them. They
// end when the user changes the password, with the old id or with one of these, and so does the
// cookie.
func TestAttackNewIDInReserve(t *testing.T) {
	r := newRig(t, byUser)
	id := r.begin(loggedIn("zoe"))
	reserve := []string{r.do(r.exists(id), regenerate).ID, r.do(r.exists(id), regenerate).ID}
	out := r.do(r.exists(id), regenerate, endOthers)
	for _, stolen := range reserve {
		r.gone(stolen)
	}
	r.visit(out.ID)
	r.gone(id)
	r.listed("zoe", out.ID)

	id = out.ID
	reserve = []string{r.do(r.exists(id), regenerate).ID, r.do(r.exists(id), regenerate).ID}
	out = r.do(r.exists(reserve[0]), regenerate, endOthers)
	r.gone(id)
	r.gone(reserve[1])
	r.visit(out.ID)
	r.gone(reserve[0])
	r.listed("zoe", out.ID)
}

// A request that comes with the old id, while the answer with the new one is on its way, ends the
// others and not its own session. It makes no new id, so it is the same session.
func TestEndOthersWithAnOldID(t *testing.T) {
	for name, end := range map[string]func(r *rig, s *sessionstore.Session){
		"a change": func(r *rig, s *sessionstore.Session) { r.do(s, endOthers, update(`{"a":1}`)) },
		"EndOthers": func(r *rig, s *sessionstore.Session) {
			if err := r.EndOthers(context.Background(), s); err != nil {
				r.Error(err)
			}
		},
	} {
		for _, underWay := range []bool{false, true} {
			for _, used := range []bool{false, true} {
				if used && !underWay {
					continue // the old id has ended
				}
				n := 0
				o := byUser
				o.OnEndOthers = func(ended int) { n += ended }
				r := newRig(t, o)
				id, other := r.begin(loggedIn("zoe")), r.begin(loggedIn("zoe"))
				s := r.exists(id)
				newID := r.do(r.exists(id), regenerate).ID
				if used {
					r.visit(newID)
				}
				if !underWay {
					s = r.exists(id)
				}
				end(r, s)
				r.gone(other)
				if !used {
					r.exists(id)
				}
				r.exists(newID)
				r.gone(id)
				if n != 1 || t.Failed() {
					t.Errorf("%s, under way %t, used %t: %d have ended", name, underWay, used, n)
				}
			}
		}
	}
}

// Ending all spares nothing, also not what another request of the browser has just been given.
func TestEndAllEndsNewIDsToo(t *testing.T) {
	for _, underWay := range []bool{false, true} {
		r := newRig(t, byUser)
		id, other := r.begin(loggedIn("zoe")), r.begin(loggedIn("zoe"))
		s := r.exists(id)
		newID := r.do(r.exists(id), regenerate).ID
		if !underWay {
			s = r.exists(id)
		}
		r.do(s, endOthers, destroy)
		for _, id := range []string{id, newID, other} {
			r.gone(id)
		}
		r.listed("zoe")
	}
}

// A change that will be refused ends no other session first.
func TestRefusedChangeEndsNoOthers(t *testing.T) {
	virtual := func(s *sessionstore.Session) *sessionstore.Session {
		s.NoCookie = true
		return s
	}
	for name, test := range map[string]struct {
		session func(r *rig, id string) *sessionstore.Session
		change  part
		want    error
	}{
		"a login without a cookie": {
			func(*rig, string) *sessionstore.Session { return virtual(&sessionstore.Session{Scope: here}) },
			loggedIn("zoe"), sessionstore.ErrNeedsCookie,
		},
		"a new id without a cookie": {
			func(r *rig, id string) *sessionstore.Session { return virtual(r.exists(id)) },
			regenerate, sessionstore.ErrNeedsCookie,
		},
		"another cookie": {
			func(r *rig, id string) *sessionstore.Session { return virtual(r.exists(id)) },
			permanent(true), sessionstore.ErrNeedsCookie,
		},
		"a destroy without a cookie": {
			func(r *rig, id string) *sessionstore.Session { return virtual(r.exists(id)) },
			destroy, sessionstore.ErrNeedsCookie,
		},
		"a login that is late": {
			func(r *rig, id string) *sessionstore.Session {
				s := r.exists(id)
				return sessionstore.Later(s.Place(), here, s.Ref(), s)
			},
			update(`{"user":"zoe","role":1}`), sessionstore.ErrNeedsCookie,
		},
		"not valid after a destroy": {
			func(r *rig, id string) *sessionstore.Session { return r.exists(id) },
			func(c *sessionstore.Change) {
				destroy(c)
				update(`[{"op":"test","path":"/user","value":"zoe"}]`)(c)
			}, sessionstore.ErrInvalid,
		},
		"too large": {
			func(r *rig, id string) *sessionstore.Session { return r.exists(id) },
			update(`{"a":"` + strings.Repeat("x", sessionstore.MaxRecord) + `"}`), sessionstore.ErrTooLarge,
		},
		"too large after a destroy": {
			func(r *rig, id string) *sessionstore.Session { return r.exists(id) },
			func(c *sessionstore.Change) {
				destroy(c)
				update(`{"a":"` + strings.Repeat("x", sessionstore.MaxRecord) + `"}`)(c)
			}, sessionstore.ErrTooLarge,
		},
		"a login that is too large": {
			func(*rig, string) *sessionstore.Session { return &sessionstore.Session{Scope: here} },
			update(`{"user":"zoe","a":"` + strings.Repeat("x", sessionstore.MaxRecord) + `"}`), sessionstore.ErrTooLarge,
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := byUser
			o.MaxSize, o.RegenerateOn = 2*sessionstore.MaxRecord, paths("role")
			r := newRig(t, o)
			id, other := r.begin(loggedIn("zoe")), r.begin(loggedIn("zoe"))
			r.refuse(test.want, test.session(r, id), endOthers, test.change)
			r.listed("zoe", id, other)
		})
	}
}

// The record of a new id is a bit larger, and so is the one that it succeeds. Whatever is too
// large, it is refused before a session ends.
func TestTooLargeForANewIDEndsNoOthers(t *testing.T) {
	o := byUser
	o.MaxSize = 2 * sessionstore.MaxRecord
	refused, saved := 0, 0
	for size := sessionstore.MaxRecord - 600; size < sessionstore.MaxRecord; size += 20 {
		for _, old := range []bool{false, true} {
			r := newRig(t, o)
			large := update(`{"a":"` + strings.Repeat("x", size) + `"}`)
			id, other := r.begin(loggedIn("zoe")), r.begin(loggedIn("zoe"))
			if old {
				if _, err := r.try(r.exists(id), large); err != nil {
					continue
				}
				large = update(`{"a":null}`)
			}
			switch _, err := r.try(r.exists(id), endOthers, regenerate, large); {
			case errors.Is(err, sessionstore.ErrTooLarge):
				refused++
				r.exists(other)
			case err == nil:
				saved++
				r.gone(other)
			default:
				t.Error(err)
			}
		}
	}
	if refused == 0 || saved == 0 {
		t.Errorf("%d were refused, %d saved", refused, saved)
	}
}

// A destroy whose time is over before it could end what comes first leaves no new session.
func TestDestroyThatTakesTooLongLeavesNoNewSession(t *testing.T) {
	bubble(t, limited(1, false), func(t *testing.T, r *rig) {
		id := r.begin(loggedIn("bob"))
		before := len(r.records())
		slow := func(c *sessionstore.Change) {
			c.First = func(ctx context.Context) error {
				<-ctx.Done()
				return ctx.Err()
			}
		}
		if _, err := r.try(r.exists(id), destroy, slow, loggedIn("zoe")); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		r.want(id, `{"user":"bob"}`)
		r.listed("zoe")
		if n := len(r.records()); n > before+1 { // zoe's list stays
			t.Errorf("%d records, there were %d", n, before)
		}
	})
}

// What a destroy ends first ends only if nothing refuses the change. If it cannot be ended, the
// session goes on, and none begins.
func TestDestroyEndsFirstWhatCannotBeRefused(t *testing.T) {
	for name, test := range map[string]struct {
		change part
		fails  error
		want   error
		called bool
	}{
		"a logout":                 {func(*sessionstore.Change) {}, nil, nil, true},
		"a message":                {flash(`"bye"`), nil, nil, true},
		"one that cannot be ended": {flash(`"bye"`), errLost, errLost, true},
		"a change that is invalid": {update(`[{"op":"remove","path":"/nothing"}]`), nil, sessionstore.ErrInvalid, false},
		"too large":                {update(`{"a":"` + strings.Repeat("x", sessionstore.MaxRecord) + `"}`), nil, sessionstore.ErrInvalid, false},
		"a login beyond the limit": {loggedIn("zoe"), nil, sessionstore.ErrUserLimit, false},
		"others without an index":  {func(c *sessionstore.Change) { c.EndOthers = true }, nil, sessionstore.ErrNoIndex, false},
	} {
		t.Run(name, func(t *testing.T) {
			o := limited(1, true)
			if errors.Is(test.want, sessionstore.ErrNoIndex) {
				o = sessionstore.Options{}
			}
			r := newRig(t, o)
			r.begin(loggedIn("zoe"))
			id := r.begin(loggedIn("bob"))
			before, called := len(r.records()), false
			first := func(c *sessionstore.Change) {
				c.First = func(context.Context) error {
					called = true
					return test.fails
				}
			}
			_, err := r.try(r.exists(id), destroy, first, test.change)
			if !errors.Is(err, test.want) || called != test.called {
				t.Errorf("called %t, %v", called, err)
			}
			if test.want == nil {
				r.gone(id)
				return
			}
			r.want(id, `{"user":"bob"}`)
			if n := len(r.records()); n != before {
				t.Errorf("%d records, there were %d", n, before)
			}
		})
	}
}
