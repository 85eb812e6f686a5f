package sessionstore_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/caddy-session/caddy-session/sessionstore"
)

func (r *rig) end(ref string, want bool) {
	r.Helper()
	if ended, err := r.End(context.Background(), ref); ended != want || err != nil {
		r.Errorf("ended %t, want %t, %v", ended, want, err)
	}
}

func TestEndByRef(t *testing.T) {
	r := newRig(t, byUser)
	id := r.begin(update(`{"a":1}`))
	underWay := r.exists(id)
	r.end(sessionstore.Ref(id), true)
	r.gone(id)
	r.end(sessionstore.Ref(id), false)
	r.outcome(r.do(underWay, update(`{"b":1}`)), sessionstore.Dropped, sessionstore.CookieKept)
	r.gone(id)
}

// Whoever is ended by the ref of an old id is ended under all new ones.
func TestEndFollowsToAllSuccessors(t *testing.T) {
	r := newRig(t, byUser)
	first := r.begin(update(`{"a":1}`))
	second := r.do(r.exists(first), regenerate).ID
	r.visit(second)
	third := r.do(r.exists(second), loggedIn("zoe")).ID
	r.visit(third)
	last := r.do(r.exists(third), regenerate).ID // not used
	r.end(sessionstore.Ref(first), true)
	for _, id := range []string{first, second, third, last} {
		r.gone(id)
	}
	r.listed("zoe")
}

// A session whose id was not used ends with the older one, which comes first: if that fails, both
// live on.
func TestEndEndsThePredecessorFirst(t *testing.T) {
	r := newRig(t, byUser)
	id := r.begin(update(`{"a":1}`))
	newID := r.do(r.exists(id), regenerate).ID
	for _, o := range []op{set, del} {
		r.store.before(o, 0, loseOf(id))
	}
	if ended, err := r.End(t.Context(), sessionstore.Ref(newID)); ended || !errors.Is(err, errLost) {
		t.Errorf("ended %t, %v", ended, err)
	}
	r.store.heal()
	if r.count(sessionstore.Live) != 2 {
		t.Error("one of them has ended")
	}
	r.end(sessionstore.Ref(newID), true)
	r.gone(id)
	r.gone(newID)
}

func TestEndUser(t *testing.T) {
	r := newRig(t, byUser)
	var ids []string
	for range 20 {
		ids = append(ids, r.begin(loggedIn("zoe")))
	}
	bob := r.begin(loggedIn("bob"))
	// One has an unused successor, one a used one.
	unused := r.do(r.exists(ids[1]), regenerate).ID
	used := r.do(r.exists(ids[2]), regenerate).ID
	r.visit(used)
	n, err := r.EndUser(t.Context(), here, "zoe", sessionstore.Ref(used))
	if n != 19 || err != nil { // the unused one is not counted
		t.Errorf("%d have ended, want 19, %v", n, err)
	}
	for _, id := range append(ids, unused) {
		r.gone(id)
	}
	r.listed("zoe", used)
	r.exists(used)
	// A session that is spared keeps what it has been ready to become.
	unused = r.do(r.exists(used), regenerate).ID
	if n, err := r.EndUser(t.Context(), here, "zoe", sessionstore.Ref(used)); n != 0 || err != nil {
		t.Errorf("%d have ended, want 0, %v", n, err)
	}
	r.gone(unused)
	r.exists(used)
	if n, err := r.EndUser(t.Context(), here, "zoe", ""); n != 1 || err != nil {
		t.Errorf("%d have ended, want 1, %v", n, err)
	}
	r.gone(used)
	r.exists(bob)
	r.listed("bob", bob)
	if n := r.entries(); n != 1 {
		t.Errorf("%d entries are left, want 1", n)
	}
}

// TestC11EndAllOutlivesNoRegenerate: a request gives the session a new id while all sessions of the
// user are ended, at every step of either.
func TestC11EndAllOutlivesNoRegenerate(t *testing.T) {
	for n := 1; n < 8; n++ {
		for _, late := range []bool{false, true} {
			one, two := twoProxies(t, byUser)
			id := one.begin(loggedIn("zoe"))
			s := one.exists(id)
			endAll := func(context.Context, call) error {
				if k, err := two.EndUser(t.Context(), here, "zoe", ""); err != nil {
					t.Errorf("%d have ended, %v", k, err)
				}
				return nil
			}
			steps := 0
			at := func(ctx context.Context, c call) error {
				if steps++; steps == n {
					return endAll(ctx, c)
				}
				return nil
			}
			for _, o := range []op{get, set, del} {
				if late {
					one.store.after(o, 0, at)
				} else {
					one.store.before(o, 0, at)
				}
			}
			out := one.do(s, regenerate)
			one.store.heal()
			if steps >= n {
				one.gone(id)
				if out.ID != "" {
					two.gone(out.ID)
				}
				two.listed("zoe")
			}
		}
	}
}

// The other way round: the new id is made at every step of ending all, and used before the end is
// answered.
func TestC11RegenerateWhileAllEnd(t *testing.T) {
	for n := 1; n < 12; n++ {
		one, two := twoProxies(t, byUser)
		id := one.begin(loggedIn("zoe"))
		s := one.exists(id)
		var steps atomic.Int32
		newID := ""
		at := func(context.Context, call) error {
			if int(steps.Add(1)) == n {
				newID = one.do(s, regenerate).ID
			}
			return nil
		}
		for _, o := range []op{get, set, del} {
			two.store.before(o, 0, at)
		}
		if _, err := two.EndUser(t.Context(), here, "zoe", ""); err != nil {
			t.Error(err)
		}
		two.store.heal()
		one.gone(id)
		if newID != "" {
			one.gone(newID)
		}
	}
}

// If one cannot be ended, it is an error; those that have ended stay so, and asking again goes on.
func TestEndUserGoesOn(t *testing.T) {
	r := newRig(t, byUser)
	ids := []string{r.begin(loggedIn("zoe")), r.begin(loggedIn("zoe")), r.begin(loggedIn("zoe"))}
	r.store.before(del, 0, loseOf(ids[1]))
	if _, err := r.EndUser(t.Context(), here, "zoe", ""); !errors.Is(err, errLost) {
		t.Errorf("error %v", err)
	}
	r.exists(ids[1])
	r.store.heal()
	if _, err := r.EndUser(t.Context(), here, "zoe", ""); err != nil {
		t.Error(err)
	}
	for _, id := range ids {
		r.gone(id)
	}
}
