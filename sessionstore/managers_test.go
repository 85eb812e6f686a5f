package sessionstore_test

import (
	"slices"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// others are the options of another handler of the same site, by which a session of zoe's is over
// after an hour, or another user's.
var others = map[string]sessionstore.Options{
	"a shorter idle timeout":      {User: byUser.User, IdleTimeout: time.Hour},
	"a shorter absolute timeout":  {User: byUser.User, AbsoluteTimeout: time.Hour},
	"another user field":          {User: paths("mail")[0]},
	"both":                        {User: paths("mail")[0], IdleTimeout: time.Hour, AnonymousTimeout: time.Minute},
	"no user field":               {IdleTimeout: time.Hour},
	"a shorter anonymous timeout": {User: paths("mail")[0], AnonymousTimeout: time.Hour},
}

// What another handler of the site calls over, or another user's, stays on the list of its user.
func TestAnotherHandlersOptionsTakeNothingOffTheList(t *testing.T) {
	for name, o := range others {
		if o.User.String() == "" {
			continue // it lists nobody
		}
		t.Run(name, func(t *testing.T) {
			bubble(t, byUser, func(t *testing.T, r *rig) {
				id := r.begin(update(`{"user":"zoe","mail":"m"}`))
				time.Sleep(61 * time.Minute)
				o.MaxUserSessions = 1
				other := r.another(o)
				for range 2 {
					other.listed("zoe")
					own := other.begin(update(`{"user":"zoe","mail":"zoe"}`)) // a login at the limit
					other.listed("zoe", own)
					r.do(r.exists(own), destroy)
					r.listed("zoe", id)
				}
			})
		})
	}
}

// Ending all sessions of a user ends those too that another handler has saved with longer timeouts.
// It does not end those of who is the user by another field.
func TestEndOthersEndsWhatAnotherHandlerKeepsForLonger(t *testing.T) {
	for name, o := range others {
		if o.User.String() == "" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			bubble(t, byUser, func(t *testing.T, r *rig) {
				id := r.begin(update(`{"user":"zoe","mail":"m"}`))
				time.Sleep(61 * time.Minute)
				other := r.another(o)
				own := other.begin(update(`{"user":"bob","mail":"zoe"}`))
				if o.User.String() == "user" {
					own = other.begin(loggedIn("zoe"))
				}
				other.do(other.exists(own), func(c *sessionstore.Change) { c.EndOthers = true })
				if ended := !r.load(id).Exists(); ended != (o.User.String() == "user") {
					t.Errorf("the session has ended: %t", ended)
				}
			})
		})
	}
}

// Operators see a session as long as it is live for any handler, with the times and the user that
// it has where it was saved. Looking takes nothing off a list, and ending ends it.
func TestOperatorsJudgeByAllHandlers(t *testing.T) {
	for name, o := range others {
		for _, last := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				bubble(t, byUser, func(t *testing.T, r *rig) {
					ids := []string{r.begin(update(`{"user":"zoe","mail":"m"}`)), r.begin(loggedIn("zoe"))}
					time.Sleep(61 * time.Minute)
					all := sessionstore.Managers{r.Manager}
					if all = all.With(r.another(o).Manager); last {
						slices.Reverse(all)
					}
					if n := len(all.With(r.another(o).Manager).With(r.another(byUser).Manager)); n != 2 {
						t.Errorf("%d managers judge differently, want 2", n)
					}
					want, _, err := r.Describe("ref", r.entry(ids[0]))
					got, live, errAll := all.Describe("ref", r.entry(ids[0]))
					if err != nil || errAll != nil || !live || got != want {
						t.Errorf("%+v, %t, %v; want %+v, %v", got, live, errAll, want, err)
					}
					for range 2 {
						if list, err := all.UserSessions(t.Context(), here, "zoe"); len(list) != 2 || err != nil {
							t.Errorf("%d sessions, %v", len(list), err)
						}
					}
					if n, err := all.EndUser(t.Context(), here, "zoe", sessionstore.Ref(ids[0])); n != 1 || err != nil {
						t.Errorf("%d have ended, %v", n, err)
					}
					r.listed("zoe", ids[0])
				})
			})
		}
	}
}

// A session that nobody calls live is listed for nobody, and is off the list when its record is
// gone.
func TestOperatorsSeeNothingThatIsOver(t *testing.T) {
	bubble(t, byUser, func(t *testing.T, r *rig) {
		id := r.begin(loggedIn("zoe"))
		short := r.another(sessionstore.Options{User: byUser.User, IdleTimeout: time.Hour})
		all := sessionstore.Managers{short.Manager, r.another(sessionstore.Options{User: paths("mail")[0], IdleTimeout: 2 * time.Hour}).Manager}
		time.Sleep(3 * time.Hour)
		if _, live, err := all.Describe("ref", r.entry(id)); live || err != nil {
			t.Errorf("live %t, %v", live, err)
		}
		if list, err := all.UserSessions(t.Context(), here, "zoe"); len(list) != 0 || err != nil {
			t.Errorf("%d sessions, %v", len(list), err)
		}
		r.do(r.exists(id), destroy)
		if list, err := all.UserSessions(t.Context(), here, "zoe"); len(list) != 0 || err != nil || r.entries() != 0 {
			t.Errorf("%d sessions, %v, %d entries", len(list), err, r.entries())
		}
	})
}

// Ending a session answers as what was done, whatever timeouts the manager has.
func TestEndByAnotherHandlersManager(t *testing.T) {
	bubble(t, byUser, func(t *testing.T, r *rig) {
		id := r.begin(loggedIn("zoe"))
		time.Sleep(61 * time.Minute)
		short := r.another(others["a shorter idle timeout"])
		for _, want := range []bool{true, false} {
			if was, err := short.End(t.Context(), sessionstore.Ref(id)); was != want || err != nil {
				t.Errorf("it was there: %t, want %t, %v", was, want, err)
			}
		}
		r.gone(id)
	})
}
