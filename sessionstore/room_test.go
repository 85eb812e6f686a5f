package sessionstore_test

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// fill gives zoe n sessions, as if they had been listed one after the other. as changes the record
// of one before it is saved.
func (r *rig) fill(n int, as func(i int, rec *sessionstore.Record)) (ids []string) {
	r.Helper()
	ids = []string{r.begin(loggedIn("zoe"))}
	var index sessionstore.Record
	var key string
	for k, rec := range r.records() {
		if rec.State == sessionstore.Index && rec.User == "zoe" {
			key, index = k, rec
		}
	}
	first := r.records()[sessionstore.Ref(ids[0])]
	for i := range n {
		rec := first
		if i > 0 {
			ids = append(ids, sessionstore.NewID())
		}
		if as != nil {
			as(i, &rec)
		}
		r.plant(ids[i], r.encode(rec), rec.Idle)
		if i > 0 {
			binaryRef, err := base64.RawURLEncoding.DecodeString(sessionstore.Ref(ids[i]))
			if err != nil {
				r.Fatal(err)
			}
			index.Sessions = binary.BigEndian.AppendUint64(append(index.Sessions, binaryRef...), uint64(rec.Created.UnixMilli()))
		}
	}
	e, _ := r.ledger.Get(context.Background(), key)
	if _, err := r.ledger.CompareAndSet(context.Background(), key, e.Value, r.encode(index), e.TTL); err != nil {
		r.Fatal(err)
	}
	return ids
}

// over are the ids under which there is no session any more.
func (r *rig) over(ids []string) (over []string) {
	r.Helper()
	for _, id := range ids {
		if e := r.entry(id); !e.Found() || !sessionstore.IsSession(e.Value) {
			over = append(over, id)
		}
	}
	return over
}

// wantOver checks which of the sessions are over.
func (r *rig) wantOver(ids []string, want ...string) {
	r.Helper()
	got := r.over(ids)
	if len(got) != len(want) {
		r.Errorf("%d sessions are over, want %d", len(got), len(want))
	}
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			r.Errorf("another session has ended than the one wanted, of %d", len(want))
		}
	}
}

// A new id is no login. With a full list, it ends neither its own session nor another one,
// whichever was listed first.
func TestNewIDAtAThousandSessionsEndsNone(t *testing.T) {
	o := byUser
	o.OnLimit = func() { t.Error("a session has ended") }
	bubble(t, o, func(t *testing.T, r *rig) {
		ids := r.fill(sessionstore.MaxListed, nil)
		for _, i := range []int{0, 1, 500, 999} {
			out := r.do(r.exists(ids[i]), regenerate, update(`{"a":1}`))
			r.outcome(out, sessionstore.Saved, sessionstore.CookieSet)
			r.want(out.ID, `{"user":"zoe","a":1}`)
			r.gone(ids[i])
			ids[i] = out.ID
			r.visit(out.ID)
		}
		r.wantOver(ids)
		// The list does not grow by them for ever.
		for range 100 {
			ids[0] = r.do(r.exists(ids[0]), regenerate).ID
			r.visit(ids[0])
			time.Sleep(time.Second + 7) // another sample
		}
		r.wantOver(ids)
		if n := r.entries(); n > sessionstore.MaxListed+100 {
			t.Errorf("%d entries", n)
		}
	})
}

// New ids that nobody uses end no session either, until the list has twice as many entries. Then it
// is not the session that asks, or the one that it is to replace.
func TestNewIDsThatAreNotUsedAreBounded(t *testing.T) {
	bubble(t, byUser, func(t *testing.T, r *rig) {
		ids := r.fill(sessionstore.MaxEntries-1, nil)
		r.do(r.exists(ids[0]), regenerate)
		r.wantOver(ids)
		out := r.do(r.exists(ids[0]), regenerate)
		r.wantOver(ids, ids[1])
		r.visit(out.ID)
		if n := r.entries(); n != sessionstore.MaxEntries {
			t.Errorf("%d entries, want %d", n, sessionstore.MaxEntries)
		}
		// Each login ends one, and no more.
		r.begin(loggedIn("zoe"))
		if n := len(r.over(ids)); n > 3 {
			t.Errorf("%d are over after one login", n-2)
		}
	})
}

// heirOf makes the record one of a new id that was not used.
func heirOf(rec *sessionstore.Record) {
	rec.Pred, rec.Idx = sessionstore.Ref(sessionstore.NewID()), 1
}

// At a full list, the ids that were given long ago and never used go first. Those that were given
// just now may be on their way.
func TestUnusedIDsPushOutNoSession(t *testing.T) {
	for _, old := range []bool{true, false} {
		bubble(t, byUser, func(t *testing.T, r *rig) {
			ids := r.fill(sessionstore.MaxListed, func(i int, rec *sessionstore.Record) {
				if i >= 900 {
					heirOf(rec)
				}
			})
			time.Sleep(sessionstore.DefaultRegenerateUnused)
			if old {
				time.Sleep(time.Second)
			}
			for range 50 {
				r.begin(loggedIn("zoe"))
			}
			used, unused := len(r.over(ids[:900])), len(r.over(ids[900:]))
			if old && (used != 0 || unused != 50) || !old && (used != 50 || unused != 0) {
				t.Errorf("old %t: %d used and %d unused ones have ended", old, used, unused)
			}
		})
	}
}

// An id that was never used ends alone: the session that it was to replace goes on.
func TestUnusedIDEndsAlone(t *testing.T) {
	bubble(t, byUser, func(t *testing.T, r *rig) {
		s := r.begin(update(`{"a":1}`))
		ids := r.fill(sessionstore.MaxListed, func(i int, rec *sessionstore.Record) {
			if i < 999 {
				rec.Pred, rec.Idx = sessionstore.Ref(s), 1
			}
		})
		time.Sleep(sessionstore.DefaultRegenerateUnused + time.Second)
		r.begin(loggedIn("zoe"))
		if n := len(r.over(ids)); n != 1 {
			t.Errorf("%d are over, want 1", n)
		}
		r.want(s, `{"a":1}`)
	})
}

// The first on a full list may be the old id of a session that has a new one. That one goes on.
func TestFirstOfAFullListIsLookedUp(t *testing.T) {
	bubble(t, byUser, func(t *testing.T, r *rig) {
		ids := r.fill(sessionstore.MaxListed-1, nil)
		renewed := r.do(r.exists(ids[0]), regenerate).ID
		r.visit(renewed)
		time.Sleep(7 * time.Nanosecond) // no other is looked up in its place
		r.begin(loggedIn("zoe"))
		r.exists(renewed)
		r.wantOver(ids, ids[0])
		r.begin(loggedIn("zoe"))
		r.wantOver(ids, ids[0], ids[1])
	})
}

// Many logins at once with a full list, in one process or two, share the look-ups, and end as many
// sessions as they are.
func TestLoginsAtOnceWithAFullList(t *testing.T) {
	for processes := 1; processes <= 2; processes++ {
		bubble(t, byUser, func(t *testing.T, r *rig) {
			ids := r.fill(sessionstore.MaxListed, nil)
			managers := []*rig{r, r.another(byUser)}[:processes]
			for _, m := range managers {
				m.store.heal()
				for _, o := range []op{get, set, del} {
					m.store.before(o, 0, slow(10*time.Millisecond))
				}
			}
			done := make(chan string)
			for i := range sessionstore.MaxBatch {
				go func() {
					done <- managers[i%processes].do(&sessionstore.Session{Scope: here}, loggedIn("zoe")).ID
				}()
			}
			for range sessionstore.MaxBatch {
				ids = append(ids, <-done)
			}
			for _, m := range managers {
				if n := m.store.count(get); n > 5*sessionstore.MaxBatch {
					t.Errorf("%d logins took %d reads", sessionstore.MaxBatch, n)
				}
				m.store.heal()
			}
			r.wantOver(ids, ids[:sessionstore.MaxBatch]...)
		})
	}
}
