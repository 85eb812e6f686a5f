package sessionstore_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// doubtful makes a regeneration whose last answer is lost, and returns the id that the client still has. The store is
// well again two seconds later.
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

// A regeneration that the client was told has failed logs nobody out: it is taken back once the store answers.
func TestDoubtfulRegenerationIsTakenBack(t *testing.T) {
	for name, happens := range map[string]bool{"it has happened": true, "it has not": false} {
		t.Run(name, func(t *testing.T) {
			bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
				id := doubtful(r, happens)
				time.Sleep(2 * time.Second)
				r.want(id, `{"a":1}`)
				if r.exists(id).Former() {
					t.Error("the client has an old id")
				}
				r.do(r.exists(id), update(`{"b":2}`))
				time.Sleep(time.Minute) // the grace is over
				r.want(id, `{"a":1,"b":2}`)
				if n := len(r.records()); n != 1 {
					t.Errorf("%d records are left", n)
				}
			})
		})
	}
}

// A write that was on its way all the time comes too late.
func TestDoubtfulRegenerationThatComesLate(t *testing.T) {
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
		time.Sleep(time.Minute)
		r.want(id, `{"a":1}`)
	})
}

// What others have changed by the new id meanwhile is not taken back: it was answered.
func TestDoubtfulRegenerationThatOthersUse(t *testing.T) {
	bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
		id := r.begin(update(`{"a":1}`))
		s, other := r.exists(id), r.another(sessionstore.Options{})
		r.store.after(set, 0, loseOf(id))
		r.store.before(get, 0, lose)
		r.refuse(errLost, s, regenerate)
		other.do(other.exists(id), update(`{"b":2}`))
		r.store.heal()
		time.Sleep(5 * time.Second)
		if s := other.exists(id); !s.Former() {
			t.Errorf("the old id shows %s, and no longer leads to what was changed", s.Data())
		}
	})
}

// A session that was destroyed meanwhile does not return.
func TestDoubtfulRegenerationOfWhatIsDestroyed(t *testing.T) {
	bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
		id := r.begin(update(`{"a":1}`))
		s, other := r.exists(id), r.another(sessionstore.Options{})
		r.store.after(set, 0, loseOf(id))
		r.store.before(get, 0, lose)
		r.refuse(errLost, s, regenerate)
		other.do(other.exists(id), destroy)
		r.store.heal()
		time.Sleep(5 * time.Second)
		r.gone(id)
		if n := len(r.records()); n != 0 {
			t.Errorf("%d records are left", n)
		}
	})
}

// It is given up when the grace is over: then there is nothing left to put back.
func TestDoubtfulRegenerationIsGivenUp(t *testing.T) {
	bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
		id := r.begin(update(`{"a":1}`))
		s := r.exists(id)
		r.store.before(set, 0, loseOf(id))
		r.store.before(get, 0, lose)
		r.refuse(errLost, s, regenerate)
		time.Sleep(time.Minute)
		synctest.Wait()
		calls := r.store.count(get)
		time.Sleep(time.Minute)
		if n := r.store.count(get); n != calls {
			t.Error("it is tried for ever")
		}
		if calls < 5 || calls > 30 {
			t.Errorf("tried %d times", calls)
		}
		r.store.heal()
		r.want(id, `{"a":1}`)
	})
}
