package sessionstore_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// doubtful makes a regeneration whose last answer is lost, and returns the id that the client still
// has. The store is well again two seconds later.
func doubtful(r *rig, happens bool) (id string) {
	id = r.begin(update(`{"a":1}`))
	s := r.exists(id)
	if happens {
		r.store.after(set, 0, loseOf(id))
	} else {
		r.store.before(set, 0, loseOf(id))
	}
	r.refuse(errLost, s, regenerate, update(`{"login":true}`))
	time.Sleep(2 * time.Second)
	r.store.heal()
	return id
}

// A regeneration that the client was told has failed logs nobody out: the old id goes on as before.
func TestADoubtfulRegenerationEndsNoSession(t *testing.T) {
	for name, happens := range map[string]bool{"it has happened": true, "it has not": false} {
		t.Run(name, func(t *testing.T) {
			bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
				id := doubtful(r, happens)
				time.Sleep(2 * time.Second)
				r.do(r.exists(id), update(`{"b":2}`))
				for range 30 {
					time.Sleep(20 * time.Hour)
					if err := r.Touch(t.Context(), r.exists(id)); err != nil {
						t.Error(err)
					}
				}
				r.want(id, `{"a":1,"b":2}`)
				if n := len(r.records()); n != 1 {
					t.Errorf("%d records are left", n)
				}
			})
		})
	}
}

// An end that stood before stays: a client had been given another id before that.
func TestADoubtfulRegenerationPutsBackTheFormerEnd(t *testing.T) {
	bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
		id := r.begin(update(`{"a":1}`))
		r.do(r.exists(id), regenerate)
		end := r.exists(id).Expires()
		var settle func()
		sooner := r.another(sessionstore.Options{RegenerateUnused: time.Minute, Go: func(f func()) { settle = f }})
		s := sooner.exists(id)
		sooner.store.after(set, 0, loseOf(id))
		sooner.refuse(errLost, s, regenerate)
		if left := time.Until(r.exists(id).Expires()); left > time.Minute {
			t.Errorf("it has %v left", left)
		}
		go settle()
		sooner.store.heal()
		time.Sleep(2 * time.Second)
		if got := r.exists(id).Expires(); !got.Equal(end) {
			t.Errorf("it ends %v, want %v", got, end)
		}
	})
}

// A write that was on its way all the time comes too late.
func TestADoubtfulMarkThatComesLate(t *testing.T) {
	bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
		id := r.begin(update(`{"a":1}`))
		s := r.exists(id)
		var late call
		var first sync.Once
		r.store.before(set, 0, func(ctx context.Context, c call) error {
			if c.key == sessionstore.Ref(id) {
				first.Do(func() { late = c })
			}
			return loseOf(id)(ctx, c)
		})
		r.refuse(errLost, s, regenerate)
		r.store.heal()
		time.Sleep(2 * time.Second)
		if _, err := r.ledger.CompareAndSet(context.Background(), late.key, late.old, late.value, late.ttl); err == nil {
			t.Error("it was written")
		}
		r.want(id, `{"a":1}`)
		if r.exists(id).Former() {
			t.Error("it has a successor")
		}
	})
}

// TestADoubtfulMarkThatIsTheLatestNoMore: it had landed, somebody was led to the successor, and
// another has been made since. The change that made the first one takes another id then.
func TestADoubtfulMarkThatIsTheLatestNoMore(t *testing.T) {
	bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
		id := r.begin(update(`{"a":1}`))
		s, other := r.exists(id), r.another(sessionstore.Options{})
		under := other.exists(id)
		r.store.after(set, 2, func(context.Context, call) error {
			other.do(under, update(`{"led":1}`))
			other.do(other.exists(id), regenerate, update(`{"second":1}`))
			return errLost
		})
		out := r.do(s, regenerate, update(`{"first":1}`))
		r.want(out.ID, `{"a":1,"first":1}`)
		n := 0
		for _, rec := range r.records() {
			if string(rec.Data) == `{"a":1,"first":1,"led":1}` {
				n++
			}
		}
		if n != 1 || len(r.records()) != 4 {
			t.Errorf("%d of %d records have what was led", n, len(r.records()))
		}
	})
}

// A session that was destroyed meanwhile does not return, nor does one that was used by its new id.
func TestADoubtfulRegenerationOfWhatIsOver(t *testing.T) {
	for name, underWay := range map[string]bool{"destroyed under way": true, "destroyed later": false} {
		t.Run(name, func(t *testing.T) {
			bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
				id := r.begin(update(`{"a":1}`))
				s, other := r.exists(id), r.another(sessionstore.Options{})
				before := other.exists(id)
				r.store.after(set, 0, loseOf(id))
				r.store.before(get, 0, lose)
				r.refuse(errLost, s, regenerate)
				if !underWay {
					before = other.exists(id)
				}
				other.do(before, destroy)
				r.store.heal()
				time.Sleep(sessionstore.DefaultRegenerateUnused)
				r.gone(id)
				if n := r.count(sessionstore.Live); underWay && n != 0 {
					t.Errorf("%d sessions are left", n)
				}
			})
		})
	}
}

// It is given up when the old id has ended: then there is nothing left to put back.
func TestADoubtfulRegenerationIsGivenUp(t *testing.T) {
	bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
		id := r.begin(update(`{"a":1}`))
		s := r.exists(id)
		r.store.before(set, 0, loseOf(id))
		r.store.before(get, 0, lose)
		r.refuse(errLost, s, regenerate)
		time.Sleep(sessionstore.DefaultRegenerateUnused + time.Minute)
		synctest.Wait()
		calls := r.store.count(get)
		time.Sleep(time.Hour)
		if n := r.store.count(get); n != calls {
			t.Error("it is tried for ever")
		}
		if calls < 5 || calls > 50 {
			t.Errorf("tried %d times", calls)
		}
		r.store.heal()
		r.want(id, `{"a":1}`)
	})
}
