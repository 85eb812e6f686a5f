package sessionstore_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// damage makes a session one that cannot be read, and returns what mends it.
func (r *rig) damage(id string, byStore bool) (mend func()) {
	r.Helper()
	if byStore {
		r.store.before(get, 0, func(_ context.Context, c call) error {
			if c.key == sessionstore.Ref(id) {
				return fmt.Errorf("the page is damaged: %w", sessionstore.ErrRecord)
			}
			return nil
		})
		return r.store.heal
	}
	e := r.entry(id)
	r.plant(id, e.Value[:len(e.Value)-1], e.TTL)
	return func() { r.plant(id, e.Value, e.TTL) }
}

// A session that cannot be read stops neither the ending of the others nor the list of them.
func TestUnreadableSessionStopsNoEndAll(t *testing.T) {
	for _, byStore := range []bool{false, true} {
		r := newRig(t, byUser)
		ids := []string{r.begin(loggedIn("zoe")), r.begin(loggedIn("zoe")), r.begin(loggedIn("zoe"))}
		mend := r.damage(ids[0], byStore)
		r.listed("zoe", ids[1:]...)
		r.refuse(sessionstore.ErrRecord, r.exists(ids[1]), endOthers, update(`{"a":1}`))
		r.exists(ids[1])
		r.gone(ids[2])
		for i := range 2 {
			if n, err := r.EndUser(t.Context(), here, "zoe", ""); n != 1-i || !errors.Is(err, sessionstore.ErrRecord) {
				t.Errorf("%d have ended, want %d, %v", n, 1-i, err)
			}
		}
		r.gone(ids[1])
		// When it can be read again, it ends too.
		mend()
		if n, err := r.EndUser(t.Context(), here, "zoe", ""); n != 1 || err != nil {
			t.Errorf("%d have ended, want 1, %v", n, err)
		}
		r.gone(ids[0])
	}
}

// A new id whose record cannot be read does not keep the old one alive.
func TestUnreadableSuccessorStopsNoEndAll(t *testing.T) {
	r := newRig(t, byUser)
	ids := []string{r.begin(loggedIn("zoe")), r.begin(loggedIn("zoe"))}
	mend := r.damage(r.do(r.exists(ids[0]), regenerate).ID, false)
	for _, want := range []int{2, 0} {
		if n, err := r.EndUser(t.Context(), here, "zoe", ""); n != want || !errors.Is(err, sessionstore.ErrRecord) {
			t.Errorf("%d have ended, want %d, %v", n, want, err)
		}
	}
	r.gone(ids[0])
	r.gone(ids[1])
	mend()
	if n, err := r.EndUser(t.Context(), here, "zoe", ""); n != 0 || err != nil {
		t.Errorf("%d have ended, want 0, %v", n, err)
	}
	if n := len(r.records()); n != 1 { // the mark of the old one
		t.Errorf("%d records are left", n)
	}
}

// A session that cannot be read locks nobody out. It counts.
func TestUnreadableSessionLocksNobodyOut(t *testing.T) {
	for _, byStore := range []bool{false, true} {
		r := newRig(t, limited(2, false))
		ids := []string{r.begin(loggedIn("zoe")), r.begin(loggedIn("zoe"))}
		r.damage(ids[0], byStore)
		last := r.begin(loggedIn("zoe"))
		r.gone(ids[1])
		r.listed("zoe", last)

		r = newRig(t, limited(2, true))
		ids = []string{r.begin(loggedIn("zoe")), r.begin(loggedIn("zoe"))}
		r.damage(ids[0], byStore)
		r.refuse(sessionstore.ErrUserLimit, &sessionstore.Session{Scope: here}, loggedIn("zoe"))
		r.do(r.exists(ids[1]), destroy)
		r.listed("zoe", r.begin(loggedIn("zoe")))

		r = newRig(t, byUser)
		ids = r.fill(sessionstore.MaxListed, nil)
		r.damage(ids[0], byStore)
		r.begin(loggedIn("zoe"))
		r.wantOver(ids[1:], ids[1])
	}
}

// Ending many sessions in a slow store takes longer than the store timeout. It ends some at once,
// and all in the end.
func TestEndUserInASlowStore(t *testing.T) {
	bubble(t, byUser, func(t *testing.T, r *rig) {
		ids := r.fill(sessionstore.MaxListed, nil)
		var now, most atomic.Int32
		slowly := func(ctx context.Context, c call) error {
			if n := now.Add(1); n > most.Load() {
				most.Store(n)
			}
			defer now.Add(-1)
			return slow(20*time.Millisecond)(ctx, c)
		}
		for _, o := range []op{get, set, del} {
			r.store.before(o, 0, slowly)
		}
		if n := len(r.sessions("zoe")); n != len(ids) {
			t.Errorf("%d sessions are listed", n)
		}
		if n, err := r.EndUser(t.Context(), here, "zoe", ""); n != len(ids) || err != nil {
			t.Errorf("%d have ended, %v", n, err)
		}
		if n := len(r.over(ids)); n != len(ids) {
			t.Errorf("%d are over", n)
		}
		if n := most.Load(); n != sessionstore.Lookups {
			t.Errorf("%d operations at once, want %d", n, sessionstore.Lookups)
		}
	})
}

// A response that ends all sessions has one store timeout. If that is over, some have ended, and
// asking again goes on, until it is done.
func TestEndAllInASlowStoreGoesOn(t *testing.T) {
	ended := 0
	o := byUser
	o.OnEndOthers = func(n int) { ended += n }
	bubble(t, o, func(t *testing.T, r *rig) {
		ids := r.fill(sessionstore.MaxListed, nil)
		for _, o := range []op{get, set, del} {
			r.store.before(o, 0, slow(20*time.Millisecond))
		}
		for range 20 {
			before := len(r.over(ids))
			s := r.exists(ids[0])
			_, err := r.try(s, endOthers, destroy)
			if err == nil {
				break
			}
			if n := len(r.over(ids)); n < before+50 || !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("%d are over, %d were, %v", n, before, err)
			}
		}
		r.wantOver(ids, ids...)
		if ended != len(ids)-1 {
			t.Errorf("%d were counted", ended)
		}
	})
}
