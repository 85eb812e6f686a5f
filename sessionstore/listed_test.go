package sessionstore_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// endsAll ends all sessions of zoe after a login somewhere else, and checks that none is left.
func (r *rig) endsAll(id string) {
	r.Helper()
	other := r.begin(loggedIn("zoe"))
	if n, err := r.EndUser(context.Background(), here, "zoe", ""); n != 2 || err != nil {
		r.Errorf("%d have ended, want 2, %v", n, err)
	}
	r.gone(id)
	r.gone(other)
}

// A session is given a longer idle timeout in place, and is not used any more. The list of its
// user's sessions must not expire before it.
func TestIdleTimeoutRaisedInPlaceKeepsTheSessionListed(t *testing.T) {
	const long = 720 * time.Hour
	configured := byUser
	configured.IdleTimeout = long
	for name, raise := range map[string]func(r *rig, id string) (after *rig, newID string){
		"by the app": func(r *rig, id string) (*rig, string) {
			r.do(r.exists(id), idle(long))
			return r, id
		},
		"with data": func(r *rig, id string) (*rig, string) {
			r.do(r.exists(id), update(`{"a":1}`), idle(long))
			return r, id
		},
		"by the configuration, saved": func(r *rig, id string) (*rig, string) {
			after := r.another(configured)
			after.do(after.exists(id), update(`{"a":1}`))
			return after, id
		},
		"by the configuration, touched": func(r *rig, id string) (*rig, string) {
			after := r.another(configured)
			if err := after.Touch(context.Background(), after.exists(id)); err != nil {
				r.Error(err)
			}
			return after, id
		},
		"beside a login": func(r *rig, id string) (*rig, string) {
			r.do(r.exists(id), destroy)
			visitor := r.begin(update(`{"a":1}`))
			s := r.exists(visitor)
			other := r.another(byUser)
			r.store.before(set, 3, then(func() { other.do(s, idle(long)) })) // the login's mark
			out := r.do(r.exists(visitor), loggedIn("zoe"))
			if out.Conflicts != 1 {
				r.Errorf("%d conflicts", out.Conflicts)
			}
			r.do(r.exists(out.ID), update(`{"a":2}`))
			return r, out.ID
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, byUser, func(t *testing.T, r *rig) {
				id := r.begin(loggedIn("zoe"))
				time.Sleep(5 * time.Minute)
				after, id := raise(r, id)
				if ttl := r.entry(id).TTL; ttl != long {
					t.Fatalf("it is kept for %v", ttl)
				}
				time.Sleep(200 * time.Hour)
				after.endsAll(id)
			})
		})
	}
}

// The same with a short idle timeout that is raised, while the session is in use.
func TestIdleTimeoutRaisedInUseKeepsTheSessionListed(t *testing.T) {
	bubble(t, byUser, func(t *testing.T, r *rig) {
		id := r.begin(loggedIn("zoe"), idle(5*time.Minute))
		time.Sleep(10 * time.Second)
		r.do(r.exists(id), idle(8*time.Hour))
		for range 20 {
			time.Sleep(time.Minute)
			r.visit(id)
			r.listed("zoe", id)
		}
		r.endsAll(id)
	})
}

// If it cannot be listed for as long, it is not kept for longer.
func TestIdleTimeoutIsNotRaisedWithoutTheList(t *testing.T) {
	bubble(t, byUser, func(t *testing.T, r *rig) {
		id := r.begin(loggedIn("zoe"))
		r.store.before(set, 0, loseIndex)
		r.refuse(errLost, r.exists(id), idle(720*time.Hour))
		o := byUser
		o.IdleTimeout = 720 * time.Hour
		after := r.another(o)
		after.store.before(set, 0, loseIndex)
		if err := after.Touch(t.Context(), after.exists(id)); !errors.Is(err, errLost) {
			t.Errorf("touching: %v", err)
		}
		if ttl := r.entry(id).TTL; ttl != 24*time.Hour {
			t.Errorf("it is kept for %v", ttl)
		}
		// Other changes, and a shorter time, need no list. Nor does less than a second more.
		r.store.before(get, 0, loseIndex)
		r.do(r.exists(id), update(`{"a":1}`))
		r.do(r.exists(id), idle(time.Hour))
		r.do(r.exists(id), idle(time.Hour+999*time.Millisecond))
		r.refuse(errLost, r.exists(id), idle(time.Hour+1999*time.Millisecond))
		r.store.heal()
		r.do(r.exists(id), idle(720*time.Hour))
	})
}

// A save under another field of the data lists the session of the user that this names, also if it
// was listed a moment ago under the former.
func TestAnotherUserFieldListsAtTheNextSave(t *testing.T) {
	bubble(t, byUser, func(t *testing.T, r *rig) {
		id := r.begin(update(`{"user":"1","mail":"zoe"}`))
		byMail := r.another(sessionstore.Options{User: paths("mail")[0]})
		byMail.store.before(get, 0, loseIndex)
		byMail.refuse(errLost, byMail.exists(id), update(`{"a":1}`))
		byMail.store.heal()
		byMail.listed("zoe")
		byMail.do(byMail.exists(id), update(`{"a":1}`))
		byMail.listed("zoe", id)
		// Who lists a record that was saved under the other field, does it by the present one.
		imported := r.begin(update(`{"user":"2","mail":"bob"}`))
		entry, err := r.ledger.Get(t.Context(), sessionstore.Ref(imported))
		if err == nil {
			err = sessionstore.Managers{byMail.Manager}.List(t.Context(), sessionstore.Ref(imported), entry.Value)
		}
		if err != nil {
			t.Error(err)
		}
		byMail.listed("bob", imported)
	})
}

// With the longest timeouts, the list is kept for as long as its sessions.
func TestTheLongestTimeoutsKeepTheSessionListed(t *testing.T) {
	o := byUser
	o.IdleTimeout, o.AbsoluteTimeout = math.MaxInt64, math.MaxInt64
	bubble(t, o, func(t *testing.T, r *rig) {
		id := r.begin(loggedIn("zoe"))
		time.Sleep(1000 * time.Hour)
		r.listed("zoe", id)
		r.endsAll(id)
	})
}
