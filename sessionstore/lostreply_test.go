package sessionstore_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// retrying is a driver that asks again when the answer is lost, as many do.
type retrying struct{ sessionstore.Store }

func (s retrying) Get(ctx context.Context, key string) (e sessionstore.Entry, err error) {
	for range 3 {
		if e, err = s.Store.Get(ctx, key); !errors.Is(err, errLost) {
			break
		}
	}
	return e, err
}

// CompareAndSet must not report a conflict that it meets when it asks again: the first attempt may
// have succeeded, and somebody have saved on top of it.
func (s retrying) CompareAndSet(ctx context.Context, key string, old, value []byte, ttl time.Duration) (e sessionstore.Entry, err error) {
	for i := range 3 {
		if e, err = s.Store.CompareAndSet(ctx, key, old, value, ttl); !errors.Is(err, errLost) {
			if i > 0 && errors.Is(err, sessionstore.ErrConflict) {
				return sessionstore.Entry{}, errLost
			}
			break
		}
	}
	return e, err
}

func (s retrying) CompareAndDelete(ctx context.Context, key string, old []byte) (e sessionstore.Entry, err error) {
	for range 3 {
		if e, err = s.Store.CompareAndDelete(ctx, key, old); !errors.Is(err, errLost) {
			break
		}
	}
	return e, err
}

// TestADriverThatRetriesCountsNothingTwice loses the answer to every operation once.
func TestADriverThatRetriesCountsNothingTwice(t *testing.T) {
	r := newRig(t, sessionstore.Options{})
	r.Manager = sessionstore.NewManager(retrying{r.store}, sessionstore.Options{})
	for _, o := range []op{get, set, del} {
		for n := 1; n <= 12; n++ {
			r.store.heal()
			r.store.after(o, n, lose)
			id := r.begin(update(`{"n":1}`))
			r.do(r.exists(id), update(`[{"op":"increment","path":"/n","value":1}]`), flash(`"x"`))
			id = r.do(r.exists(id), regenerate, update(`[{"op":"increment","path":"/n","value":1}]`)).ID
			r.do(r.exists(id), update(`[{"op":"increment","path":"/n","value":1}]`))
			r.want(id, `{"n":4}`)
			if f := r.exists(id).Flash(); f != `[["message","x"]]` {
				t.Error(f)
			}
			next := r.do(r.exists(id), destroy, update(`{"n":1}`)).ID
			r.gone(id)
			r.do(r.exists(next), update(`{"n":null}`))
			r.gone(next)
			if live := r.count(sessionstore.Live); live != 0 {
				t.Errorf("%s %d lost: %d sessions left", o, n, live)
			}
		}
	}
}

// TestARetryThatMeetsSomebodyElsesSave: the answer is lost, another process saves on top, and the
// driver asks again. It has happened once, but nobody here can know.
func TestARetryThatMeetsSomebodyElsesSave(t *testing.T) {
	r := newRig(t, sessionstore.Options{})
	other := r.another(sessionstore.Options{})
	r.Manager = sessionstore.NewManager(retrying{r.store}, sessionstore.Options{})
	id := r.begin(update(`{"n":1}`))
	s := r.exists(id)
	r.store.after(set, 1, func(context.Context, call) error {
		other.do(other.exists(id), count)
		return errLost
	})
	r.refuse(errLost, s, count)
	r.want(id, `{"n":3}`)
}

// TestALostReplyCountsNothingTwice loses the answer for good: the client is told that it may have
// happened or not, and it has happened at most once. What comes later builds on what is there.
func TestALostReplyCountsNothingTwice(t *testing.T) {
	for name, lost := range map[string]func(*faults){
		"after the save":  func(f *faults) { f.after(set, 0, lose) },
		"before the save": func(f *faults) { f.before(set, 0, lose) },
	} {
		r := newRig(t, sessionstore.Options{})
		id := r.begin(update(`{"n":0}`))
		s := r.exists(id)
		want := 0
		for range 20 {
			lost(r.store)
			now := r.exists(id)
			r.refuse(errLost, now, count)
			r.store.heal()
			if name == "after the save" {
				want++
			}
			// This request has loaded what was there at the beginning.
			r.do(s, count)
			want++
			r.want(id, fmt.Sprintf(`{"n":%d}`, want))
		}
	}
}

// TestAQueueForgetsWhatItCannotKnow: the next leader must not build on what the last one failed to
// save, or has saved unknowingly.
func TestAQueueForgetsWhatItCannotKnow(t *testing.T) {
	for name, c := range map[string]struct {
		late bool
		data string
	}{
		"saved":     {true, `{"n":7,"other":1}`},
		"not saved": {false, `{"n":6,"other":1}`},
	} {
		bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
			other := r.another(sessionstore.Options{})
			id := r.begin(update(`{"n":0}`))
			s := r.exists(id)
			var waiting []<-chan answer
			var first []byte
			lost := func(_ context.Context, asked call) error {
				if first == nil {
					first = asked.value
					for range 6 {
						waiting = append(waiting, r.start(t.Context(), s, count))
					}
					if c.late {
						other.do(other.exists(id), update(`{"other":1}`))
					}
				}
				if string(asked.value) == string(first) {
					return errLost
				}
				if !c.late && other.store.count(set) == 0 {
					other.do(other.exists(id), update(`{"other":1}`))
				}
				return nil
			}
			if c.late {
				r.store.after(set, 0, lost)
			} else {
				r.store.before(set, 0, lost)
			}
			r.refuse(errLost, s, count)
			for _, done := range waiting {
				if a := <-done; a.err != nil || a.out.Result != sessionstore.Saved {
					t.Errorf("%s: %+v", name, a)
				}
			}
			r.want(id, c.data)
		})
	}
}

// TestRegeneratingWithALostReply: whatever has happened, the client's old id goes on working, or is
// one that has a successor.
func TestRegeneratingWithALostReply(t *testing.T) {
	for n, what := range []string{"the new record", "the mark"} {
		for name, late := range map[string]bool{"lost on the way": false, "answer lost": true} {
			r := newRig(t, sessionstore.Options{})
			id := r.begin(update(`{"a":1}`))
			s := r.exists(id)
			h := []hook{loseOthers(id), loseOf(id)}[n]
			if late {
				r.store.after(set, 0, h)
			} else {
				r.store.before(set, 0, h)
			}
			r.refuse(errLost, s, regenerate, update(`{"user":"u"}`))
			r.store.heal()
			// The login was not answered, and whoever holds the old id does not see it.
			after := r.exists(id)
			if after.Data() != `{"a":1}` || after.Former() && (n != 1 || !late) {
				t.Errorf("%s, %s: %s, former %t", what, name, after.Data(), after.Former())
			}
			r.outcome(r.do(s, update(`{"b":1}`)), sessionstore.Saved, sessionstore.CookieKept)
			r.do(r.exists(id), destroy)
			r.gone(id)
		}
	}
}

// TestALostAnswerLogsNobodyOut: one answer is lost, once. Whether the client is given the new id or
// an error, the id that it holds then is good for more than the grace.
func TestALostAnswerLogsNobodyOut(t *testing.T) {
	for grace, o := range map[string]sessionstore.Options{
		"":               {},
		", hardly grace": {RegenerateGrace: time.Millisecond},
	} {
		for n := 1; n <= 2; n++ {
			for name, late := range map[string]bool{"lost on the way": false, "answer lost": true} {
				bubble(t, o, func(t *testing.T, r *rig) {
					id := r.begin(update(`{"a":1}`))
					s := r.exists(id)
					if late {
						r.store.after(set, n, lose)
					} else {
						r.store.before(set, n, lose)
					}
					out, err := r.try(s, regenerate)
					if err == nil {
						id = out.ID
					}
					time.Sleep(time.Hour)
					if !r.load(id).Exists() {
						t.Errorf("save %d, %s%s: committing ended with %+v, %v, and the client is logged out", n, name, grace, out, err)
					}
				})
			}
		}
	}
}

// TestAMarkInDoubtAndADestroy: another process destroys the session while it is not known whether
// the old record has been marked.
func TestAMarkInDoubtAndADestroy(t *testing.T) {
	for name, late := range map[string]bool{"lost on the way": false, "answer lost": true} {
		bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
			other := r.another(sessionstore.Options{})
			id := r.begin(update(`{"a":1}`))
			s, before := r.exists(id), other.exists(id)
			h := func(context.Context, call) error {
				other.do(before, destroy)
				return errLost
			}
			if late {
				r.store.after(set, 2, h)
			} else {
				r.store.before(set, 2, h)
			}
			if out, err := r.try(s, regenerate, update(`{"user":"u"}`)); err == nil {
				r.gone(out.ID)
			}
			if n := r.count(sessionstore.Live); n != 0 {
				t.Errorf("%s: %d sessions", name, n)
			}
		})
	}
}

// TestAMarkInDoubtForLong: the store is back before the time is over, or it is not. In either case,
// the change was made once, and is answered in time.
func TestAMarkInDoubtForLong(t *testing.T) {
	for name, late := range map[string]bool{"lost on the way": false, "answer lost": true} {
		for _, down := range []time.Duration{time.Millisecond, 100 * time.Millisecond, 400 * time.Millisecond, time.Hour} {
			bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
				id := r.begin(update(`{"n":0}`))
				s := r.exists(id)
				var back time.Time
				h := func(_ context.Context, c call) error {
					if c.key != sessionstore.Ref(id) {
						return nil
					}
					if back.IsZero() {
						back = time.Now().Add(down)
					}
					if time.Now().Before(back) {
						return errLost
					}
					return nil
				}
				if late {
					r.store.after(set, 0, h)
				} else {
					r.store.before(set, 0, h)
				}
				within(t, name, func() {
					out, err := r.try(s, regenerate, count)
					if err != nil {
						return
					}
					if back.After(time.Now()) {
						t.Errorf("%s: answered while nobody could know", name)
					}
					r.want(out.ID, `{"n":1}`)
					if live, marks := r.count(sessionstore.Live), r.count(sessionstore.Mark); live != 1 || marks != 1 {
						t.Errorf("%s, down for %v: %d sessions, %d marks", name, down, live, marks)
					}
				})
				time.Sleep(sessionstore.DefaultRegenerateUnused + time.Minute) // it is settled in the background
			})
		}
	}
}

// TestDestroyingWithALostReply: the old session may be gone or not, but no second one is left.
func TestDestroyingWithALostReply(t *testing.T) {
	for name, fault := range map[string]func(f *faults, id string){
		"the deletion":          func(f *faults, id string) { f.before(del, 0, loseOf(id)) },
		"the deletion's answer": func(f *faults, id string) { f.after(del, 0, loseOf(id)) },
		"the new record":        func(f *faults, id string) { f.before(set, 0, loseOthers(id)) },
	} {
		r := newRig(t, sessionstore.Options{})
		id := r.begin(update(`{"a":1}`))
		s := r.exists(id)
		fault(r.store, id)
		r.refuse(errLost, s, destroy, update(`{"b":1}`))
		for key, rec := range r.records() {
			if key != sessionstore.Ref(id) {
				t.Errorf("%s: a session is left, with %s", name, rec.Data)
			}
		}
		// Asked again, it is done.
		r.store.heal()
		r.do(s, destroy)
		r.gone(id)
	}
}

// TestARetryOfAWholeChange is the app that asks again: an edit that looks first is safe.
func TestARetryOfAWholeChange(t *testing.T) {
	r := newRig(t, sessionstore.Options{})
	id := r.begin(update(`{"paid":[]}`))
	s := r.exists(id)
	pay := update(`[{"op":"test","path":"/paid","value":[]},{"op":"add","path":"/paid/-","value":7}]`)
	r.store.after(set, 0, lose)
	r.refuse(errLost, s, pay)
	r.store.heal()
	r.refuse(sessionstore.ErrInvalid, s, pay)
	r.want(id, `{"paid":[7]}`)
}
