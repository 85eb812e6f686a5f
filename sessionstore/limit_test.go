package sessionstore_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
)

func endOthers(c *sessionstore.Change) { c.EndOthers = true }

func limited(n int, refuse bool) sessionstore.Options {
	return sessionstore.Options{User: byUser.User, MaxUserSessions: n, RefuseLogins: refuse}
}

// At a login beyond the limit, the session that was used least recently ends, and no other.
func TestLimitEndsTheLeastRecentlyUsed(t *testing.T) {
	bubble(t, limited(3, false), func(t *testing.T, r *rig) {
		var ids []string
		login := func() string {
			time.Sleep(2 * time.Hour)
			visitor := r.begin(update(`{"a":1}`))
			id := r.do(r.exists(visitor), loggedIn("zoe")).ID
			r.visit(id)
			return id
		}
		bob := r.begin(loggedIn("bob"))
		for range 3 {
			ids = append(ids, login())
		}
		r.listed("zoe", ids...) // at the limit
		time.Sleep(2 * time.Hour)
		r.visit(ids[0])
		ids = append(ids, login())
		r.gone(ids[1])
		r.listed("zoe", ids[0], ids[2], ids[3])
		// A new id is no login, and those that were never used or are over do not count.
		renewed := r.do(r.exists(ids[2]), regenerate).ID
		r.listed("zoe", ids[0], ids[2], ids[3])
		r.visit(renewed)
		r.do(r.exists(ids[3]), destroy)
		last := login()
		r.listed("zoe", ids[0], renewed, last)
		r.exists(bob)
	})
}

func TestLimitRefusesTheLogin(t *testing.T) {
	r := newRig(t, limited(2, true))
	one, two := r.begin(loggedIn("zoe")), r.begin(loggedIn("zoe"))
	visitor := r.begin(update(`{"a":1}`))
	before := len(r.records())
	r.refuse(sessionstore.ErrUserLimit, r.exists(visitor), loggedIn("zoe"))
	r.refuse(sessionstore.ErrUserLimit, &sessionstore.Session{Scope: here}, loggedIn("zoe"))
	if n := len(r.records()); n != before {
		t.Errorf("%d records, there were %d", n, before)
	}
	r.want(visitor, `{"a":1}`)
	if r.exists(visitor).Former() {
		t.Error("the visitor's id has a successor")
	}
	r.listed("zoe", one, two)
	// Who is logged in gets a new id, and may save.
	r.visit(r.do(r.exists(one), regenerate).ID)
	r.do(r.exists(two), destroy)
	out := r.do(r.exists(visitor), loggedIn("zoe"))
	r.outcome(out, sessionstore.Saved, sessionstore.CookieSet)
}

// A session that ends with the login, because the change destroys it, does not count.
func TestLimitDoesNotCountWhatTheLoginEnds(t *testing.T) {
	for _, refuse := range []bool{false, true} {
		r := newRig(t, limited(2, refuse))
		own, other := r.begin(loggedIn("zoe")), r.begin(loggedIn("zoe"))
		out := r.do(r.exists(own), destroy, loggedIn("zoe"))
		r.gone(own)
		r.listed("zoe", other, out.ID)
		bob := r.begin(loggedIn("bob"))
		if refuse {
			r.refuse(sessionstore.ErrUserLimit, r.exists(bob), destroy, loggedIn("zoe"))
			r.listed("zoe", other, out.ID)
			r.exists(bob)
			continue
		}
		in := r.do(r.exists(bob), destroy, loggedIn("zoe"))
		r.gone(bob)
		r.exists(in.ID)
		if n := len(r.sessions("zoe")); n != 2 {
			t.Errorf("%d sessions", n)
		}
	}
}

// Other changes that are saved together with a login that is refused are not refused.
func TestRefusedLoginBesideOthers(t *testing.T) {
	bubble(t, limited(1, true), func(t *testing.T, r *rig) {
		r.begin(loggedIn("zoe"))
		id := r.begin(update(`{"n":0}`))
		r.store.before(set, 0, slow(time.Second/20))
		var all sync.WaitGroup
		for i := range 8 {
			s := r.exists(id)
			all.Go(func() {
				if i%4 == 1 {
					r.refuse(sessionstore.ErrUserLimit, s, loggedIn("zoe"))
				} else {
					r.do(s, update(`[{"op":"increment","path":"/n","value":1}]`))
				}
			})
		}
		all.Wait()
		r.want(id, `{"n":6}`)
	})
}

// A thousand logins at once, in two processes, leave as many sessions as are allowed.
func TestLimitHoldsForLoginsAtOnce(t *testing.T) {
	for _, refuse := range []bool{false, true} {
		bubble(t, limited(5, refuse), func(t *testing.T, r *rig) {
			managers := []*rig{r, r.another(limited(5, refuse))}
			for _, m := range managers {
				m.store.before(get, 0, slow(time.Millisecond))
				m.store.before(set, 0, slow(time.Millisecond))
			}
			var all sync.WaitGroup
			for i := range 100 {
				all.Go(func() {
					_, err := managers[i%2].Commit(context.Background(), &sessionstore.Session{Scope: here}, change(loggedIn("zoe")))
					if err != nil && (!refuse || !errors.Is(err, sessionstore.ErrUserLimit)) {
						t.Error(err)
					}
				})
			}
			all.Wait()
			r.store.heal()
			r.begin(loggedIn("bob"))
			if !refuse {
				r.begin(loggedIn("zoe")) // what is too many in one batch goes with the next login
			}
			if n := len(r.sessions("zoe")); n != 5 {
				t.Errorf("refuse %t: %d sessions, want 5", refuse, n)
			}
		})
	}
}

// A session whose id was never used does not count. So logins of visitors at once may be more than
// the limit, and stay so when their ids are used. The next login finds them.
func TestUnusedLoginsDoNotCountUntilTheNext(t *testing.T) {
	for _, refuse := range []bool{false, true} {
		bubble(t, limited(3, refuse), func(t *testing.T, r *rig) {
			var ids []string
			for range 6 {
				visitor := r.exists(r.begin(update(`{"a":1}`)))
				ids = append(ids, r.do(visitor, loggedIn("zoe")).ID)
			}
			r.listed("zoe")
			for _, id := range ids {
				r.visit(id)
				time.Sleep(time.Hour)
			}
			r.listed("zoe", ids...)
			visitor := r.exists(r.begin(update(`{"a":1}`)))
			if refuse {
				r.refuse(sessionstore.ErrUserLimit, visitor, loggedIn("zoe"))
				r.listed("zoe", ids...)
				return
			}
			next := r.do(visitor, loggedIn("zoe")).ID
			r.visit(next)
			r.listed("zoe", ids[4], ids[5], next)
		})
	}
}

func TestEndOthers(t *testing.T) {
	r := newRig(t, byUser)
	id, other, third := r.begin(loggedIn("zoe")), r.begin(loggedIn("zoe")), r.begin(loggedIn("zoe"))
	bob := r.begin(loggedIn("bob"))
	out := r.do(r.exists(id), endOthers, update(`{"a":1}`))
	r.outcome(out, sessionstore.Saved, sessionstore.CookieKept)
	r.want(id, `{"user":"zoe","a":1}`)
	r.gone(other)
	r.gone(third)
	r.exists(bob)
	r.listed("zoe", id)
	// With a login, the others of the user that logs in end.
	visitor := r.begin(update(`{"b":1}`))
	in := r.do(r.exists(visitor), endOthers, loggedIn("zoe"))
	r.outcome(in, sessionstore.Saved, sessionstore.CookieSet)
	r.gone(id)
	r.visit(in.ID)
	r.listed("zoe", in.ID)
	// Alone, and without a user, it changes nothing.
	r.outcome(r.do(r.exists(in.ID), endOthers), sessionstore.Unchanged, sessionstore.CookieKept)
	r.outcome(r.do(&sessionstore.Session{Scope: here}, endOthers), sessionstore.Unchanged, sessionstore.CookieKept)
	nobody := r.begin(update(`{"c":1}`))
	r.outcome(r.do(r.exists(nobody), endOthers), sessionstore.Unchanged, sessionstore.CookieKept)
	r.exists(in.ID)
}

func TestEndAll(t *testing.T) {
	r := newRig(t, byUser)
	id, other := r.begin(loggedIn("zoe")), r.begin(loggedIn("zoe"))
	r.outcome(r.do(r.exists(id), endOthers, destroy), sessionstore.Saved, sessionstore.CookieExpired)
	r.gone(id)
	r.gone(other)
	// Data beside it begin a new session, as beside a destroy.
	id, other = r.begin(loggedIn("zoe")), r.begin(loggedIn("zoe"))
	out := r.do(r.exists(id), endOthers, destroy, flash(`"logged out everywhere"`))
	r.outcome(out, sessionstore.Saved, sessionstore.CookieSet)
	r.gone(id)
	r.gone(other)
	r.want(out.ID, `{}`)
	r.listed("zoe")
}

// The session that another request has given a new id meanwhile is this session.
func TestEndOthersSparesTheOwnSuccessor(t *testing.T) {
	r := newRig(t, byUser)
	id, other := r.begin(loggedIn("zoe")), r.begin(loggedIn("zoe"))
	s := r.exists(id)
	newID := r.do(r.exists(id), regenerate).ID
	r.do(s, endOthers, update(`{"a":1}`))
	r.exists(id) // the answer with the new one may be lost
	r.want(newID, `{"user":"zoe","a":1}`)
	r.gone(other)
}

// A change that is not valid ends no session, nor does one whose own session is over.
func TestEndOthersOfARefusedChange(t *testing.T) {
	r := newRig(t, byUser)
	id, other := r.begin(loggedIn("zoe")), r.begin(loggedIn("zoe"))
	r.refuse(sessionstore.ErrInvalid, r.exists(id), endOthers, update(`[{"op":"remove","path":"/nothing"}]`))
	r.exists(other)
	ended := r.exists(id)
	r.do(r.exists(id), destroy)
	r.outcome(r.do(ended, endOthers, update(`{"a":1}`)), sessionstore.Dropped, sessionstore.CookieKept)
	r.exists(other)
	// If one cannot be ended, the change is not made. Asking again goes on.
	id = r.begin(loggedIn("zoe"))
	r.store.before(del, 0, loseOf(other))
	r.refuse(errLost, r.exists(id), endOthers, update(`{"a":1}`))
	r.want(id, `{"user":"zoe"}`)
	r.store.heal()
	r.do(r.exists(id), endOthers, update(`{"a":1}`))
	r.gone(other)
	plain := r.another(sessionstore.Options{})
	plain.refuse(sessionstore.ErrInvalid, plain.exists(id), endOthers)
	plain.refuse(sessionstore.ErrNoIndex, plain.exists(id), endOthers)
}

// The sessions that have to go are counted, and so are those that a change ends.
func TestEndsAreCounted(t *testing.T) {
	limits, others := 0, 0
	o := limited(3, false)
	o.OnLimit, o.OnEndOthers = func() { limits++ }, func(n int) { others += n }
	r := newRig(t, o)
	var ids []string
	for range 5 {
		ids = append(ids, r.begin(loggedIn("zoe")))
	}
	if limits != 2 {
		t.Errorf("%d have ended at the limit of 3 after 5 logins", limits)
	}
	id := r.do(r.exists(ids[4]), regenerate).ID // of the others, two records of one session are none
	r.visit(id)
	r.do(r.exists(id), endOthers)
	if others != 2 {
		t.Errorf("%d have ended beside the change, want 2", others)
	}
	r.do(r.exists(id), endOthers)
	if limits != 2 || others != 2 {
		t.Errorf("%d and %d after a change with nothing to end", limits, others)
	}
}

// A login that was answered with an error, because the answer of the store was lost or too late,
// leaves no session that counts: the user would have one less until it idles out.
func TestALoginThatHasFailedDoesNotCount(t *testing.T) {
	for name, c := range map[string]struct {
		parts []part
		fault func(f *faults)
	}{
		"the list is written too late":       {[]part{loggedIn("zoe")}, func(f *faults) { f.after(set, 2, hang) }},
		"the old session cannot be ended":    {[]part{destroy, loggedIn("zoe")}, func(f *faults) { f.before(del, 0, hang) }},
		"the new one cannot be deleted soon": {[]part{loggedIn("zoe")}, func(f *faults) { f.after(set, 2, lose); f.before(del, 0, lose) }},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, limited(1, true), func(t *testing.T, r *rig) {
				s := &sessionstore.Session{Scope: here}
				if change(c.parts...).Destroy {
					s = r.exists(r.begin(loggedIn("bob")))
				}
				r.store.heal()
				c.fault(r.store)
				if out, err := r.try(s, c.parts...); err == nil {
					t.Errorf("%+v", out)
				}
				time.Sleep(time.Minute)
				r.store.heal()
				time.Sleep(time.Minute)
				r.listed("zoe")
				r.begin(loggedIn("zoe"))
			})
		})
	}
}
