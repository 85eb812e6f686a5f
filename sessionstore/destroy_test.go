package sessionstore_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
)

func TestDestroyEndsTheSession(t *testing.T) {
	r := newRig(t, sessionstore.Options{})
	id := r.begin(update(`{"a":1}`), flash(`"x"`))
	s := r.exists(id)
	for range 3 { // destroying what is gone succeeds
		out := r.do(s, destroy, regenerate, seen)
		r.outcome(out, sessionstore.Saved, sessionstore.CookieExpired)
		if out.Ref != "" {
			t.Errorf("ref %q", out.Ref)
		}
		r.gone(id)
	}
	if n := len(r.records()); n != 0 {
		t.Errorf("%d records", n)
	}
}

func TestDestroyWithDataBeginsAnew(t *testing.T) {
	bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
		id := r.begin(update(`{"user":"u"}`), flash(`"old"`), permanent(true), idle(time.Hour))
		time.Sleep(time.Minute)
		r.store.after(set, 1, then(func() { r.want(id, `{"user":"u"}`) })) // the new record is written first
		out := r.do(r.exists(id), destroy, regenerate, seen, update(`{"b":1}`), flash(`"you are logged out"`))
		r.outcome(out, sessionstore.Saved, sessionstore.CookieSet)
		r.gone(id)
		s := r.exists(out.ID)
		if s.Data() != `{"b":1}` || s.Flash() != `[["message","you are logged out"]]` {
			t.Errorf("%s, %s", s.Data(), s.Flash())
		}
		// Nothing of the old session is in it.
		if s.Permanent() || out.Permanent || !s.Created().Equal(time.Now()) || !s.Expires().Equal(time.Now().Add(sessionstore.DefaultIdleTimeout)) {
			t.Errorf("permanent %t, created %v, expires %v", s.Permanent(), s.Created(), s.Expires())
		}
		if n := len(r.records()); n != 1 || out.ID == id {
			t.Errorf("%d records", n)
		}
	})
}

func TestDestroyWithWhatComesToNothing(t *testing.T) {
	r := newRig(t, sessionstore.Options{})
	id := r.begin(update(`{"a":1}`))
	r.outcome(r.do(r.exists(id), destroy, update(`{"x":null}`), permanent(true)), sessionstore.Saved, sessionstore.CookieExpired)
	if n := len(r.records()); n != 0 {
		t.Errorf("%d records", n)
	}
}

// TestARefusedDestroyDestroysNothing: whoever is told that it failed is still logged in.
func TestARefusedDestroyDestroysNothing(t *testing.T) {
	for name, c := range map[string]struct {
		parts []part
		fault func(f *faults, id string)
		err   error
	}{
		"invalid data":          {[]part{destroy, update(`[{"op":"remove","path":"/a"}]`)}, func(*faults, string) {}, sessionstore.ErrInvalid},
		"the new record failed": {[]part{destroy, update(`{"b":1}`)}, func(f *faults, id string) { f.before(set, 0, loseOthers(id)) }, errLost},
		"the deletion failed":   {[]part{destroy, update(`{"b":1}`)}, func(f *faults, id string) { f.before(del, 0, loseOf(id)) }, errLost},
		"deletion alone failed": {[]part{destroy}, func(f *faults, id string) { f.before(del, 0, loseOf(id)) }, errLost},
	} {
		r := newRig(t, sessionstore.Options{})
		id := r.begin(update(`{"a":1}`))
		s := r.exists(id)
		c.fault(r.store, id)
		r.refuse(c.err, s, c.parts...)
		r.want(id, `{"a":1}`)
		if n := len(r.records()); n != 1 {
			t.Errorf("%s: %d records", name, n)
		}
	}
}

// TestDestroyUnderWayEndsTheSuccessors too: they are the same session. One that came later leaves
// them alone.
func TestDestroyUnderWayEndsTheSuccessors(t *testing.T) {
	for name, find := range map[string]func(r *rig, first string) (s *sessionstore.Session, last string, ends bool){
		"under way": func(r *rig, first string) (*sessionstore.Session, string, bool) {
			s := r.exists(first)
			return s, r.do(r.exists(first), regenerate).ID, true
		},
		"later": func(r *rig, first string) (*sessionstore.Session, string, bool) {
			last := r.do(r.exists(first), regenerate).ID
			return r.exists(first), last, false
		},
		"two ids ago": func(r *rig, first string) (*sessionstore.Session, string, bool) {
			s := r.exists(first)
			second := r.do(r.exists(first), regenerate).ID
			return s, r.do(r.exists(second), regenerate).ID, true
		},
		"changed since": func(r *rig, first string) (*sessionstore.Session, string, bool) {
			s := r.exists(first)
			last := r.do(r.exists(first), regenerate).ID
			r.do(r.exists(last), update(`{"more":1}`))
			return s, last, true
		},
		"regenerated elsewhere": func(r *rig, first string) (*sessionstore.Session, string, bool) {
			s := r.exists(first)
			o := r.another(sessionstore.Options{})
			return s, o.do(o.exists(first), regenerate).ID, true
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, sessionstore.Options{})
			first := r.begin(update(`{"a":1}`))
			s, last, ends := find(r, first)
			r.outcome(r.do(s, destroy), sessionstore.Saved, sessionstore.CookieExpired)
			r.gone(first)
			if ends {
				r.gone(last)
			} else {
				r.want(last, `{"a":1}`)
			}
		})
	}
}

// TestNobodyBringsADestroyedSessionBack tries everything that a request under way may do, from here
// and from another process.
func TestNobodyBringsADestroyedSessionBack(t *testing.T) {
	for name, parts := range map[string][]part{
		"change":      {update(`{"b":1}`)},
		"regenerate":  {regenerate},
		"login":       {update(`{"user":1}`)},
		"flash":       {flash(`"x"`)},
		"permanent":   {permanent(true)},
		"idle":        {idle(time.Hour)},
		"all of them": {update(`{"b":1,"user":1}`), regenerate, flash(`"x"`), permanent(true), idle(time.Hour)},
		"emptying":    {update(`{"a":null}`)},
	} {
		for where, here := range map[string]bool{"here": true, "elsewhere": false} {
			r := newRig(t, sessionstore.Options{RegenerateOn: paths("user")})
			id := r.begin(update(`{"a":1}`))
			by := r
			if !here {
				by = r.another(sessionstore.Options{RegenerateOn: paths("user")})
			}
			s := by.exists(id)
			r.do(r.exists(id), destroy)
			out := by.do(s, parts...)
			if out.Result != sessionstore.Dropped || out.Cookie != sessionstore.CookieKept || out.ID != "" || out.Ref != "" {
				t.Errorf("%s, %s: %+v", name, where, out)
			}
			if err := by.Touch(t.Context(), s); err != nil {
				t.Error(err)
			}
			if err := by.Refresh(t.Context(), s); err != nil {
				t.Error(err)
			}
			r.gone(id)
			if n := len(r.records()); n != 0 {
				t.Errorf("%s, %s: %d records", name, where, n)
			}
		}
	}
}

// TestEverythingBetweenTheStepsOfADestroy lets another process do something before and after each
// operation of a destroy. In the end, nothing is left.
func TestEverythingBetweenTheStepsOfADestroy(t *testing.T) {
	others := map[string][]part{
		"change":     {update(`{"b":1}`)},
		"regenerate": {regenerate},
		"empty":      {update(`{"a":null}`)},
		"destroy":    {destroy},
	}
	for name, parts := range others {
		for _, former := range []bool{false, true} {
			for _, o := range []op{get, set, del} {
				for n := 1; n <= 3; n++ {
					for _, late := range []bool{false, true} {
						r := newRig(t, sessionstore.Options{})
						other := r.another(sessionstore.Options{})
						id := r.begin(update(`{"a":1}`))
						current := id
						if former {
							current = r.do(r.exists(id), regenerate).ID
						}
						s := r.exists(id)
						r.store.heal()
						h := then(func() { other.do(other.load(current), parts...) })
						if late {
							r.store.after(o, n, h)
						} else {
							r.store.before(o, n, h)
						}
						out := r.do(s, destroy, update(`{"new":1}`))
						// What the other began anew on a session that was gone is none of ours, and
						// so is what was there before.
						r.gone(id)
						r.want(out.ID, `{"new":1}`)
						if former {
							continue
						}
						for key, rec := range r.records() {
							if key != out.Ref && rec.State == sessionstore.Live && string(rec.Data) != `{"b":1}` {
								t.Errorf("%s at %s %d, late %t, former %t: a session is left with %s", name, o, n, late, former, rec.Data)
							}
						}
					}
				}
			}
		}
	}
}

// TestEverythingBetweenTheStepsOfARegenerate is the other way round: whatever was destroyed stays
// so.
func TestEverythingBetweenTheStepsOfARegenerate(t *testing.T) {
	for _, o := range []op{get, set, del} {
		for n := 1; n <= 3; n++ {
			for _, late := range []bool{false, true} {
				r := newRig(t, sessionstore.Options{})
				other := r.another(sessionstore.Options{})
				id := r.begin(update(`{"a":1}`))
				s, before := r.exists(id), other.exists(id)
				r.store.heal()
				destroyed := false
				h := then(func() {
					other.do(before, destroy)
					destroyed = true
				})
				if late {
					r.store.after(o, n, h)
				} else {
					r.store.before(o, n, h)
				}
				out := r.do(s, regenerate)
				if !destroyed {
					continue
				}
				r.gone(id)
				r.gone(out.ID)
				if n := r.count(sessionstore.Live); n != 0 {
					t.Errorf("at %s %d, late %t: %d sessions", o, n, late, n)
				}
			}
		}
	}
}

// TestADestroyWaitsInTheQueue: what came before it is saved or dropped, what comes behind it is
// dropped, and the session is gone.
func TestADestroyWaitsInTheQueue(t *testing.T) {
	bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
		id := r.begin(update(`{"a":1}`))
		s := r.exists(id)
		r.store.before(set, 1, slow(time.Millisecond))
		first := r.start(t.Context(), s, update(`{"b":1}`))
		before := r.start(t.Context(), s, update(`{"c":1}`))
		end := r.start(t.Context(), s, destroy)
		after := r.start(t.Context(), s, update(`{"d":1}`))
		again := r.start(t.Context(), s, destroy)
		moved := r.start(t.Context(), s, regenerate)
		for name, c := range map[string]struct {
			done   <-chan answer
			result sessionstore.Result
		}{
			"first": {first, sessionstore.Saved}, "before": {before, sessionstore.Saved}, "end": {end, sessionstore.Saved},
			"after": {after, sessionstore.Dropped}, "again": {again, sessionstore.Saved}, "moved": {moved, sessionstore.Dropped},
		} {
			if a := <-c.done; a.err != nil || a.out.Result != c.result || a.out.ID != "" {
				t.Errorf("%s: %+v", name, a)
			}
		}
		if n := len(r.records()); n != 0 {
			t.Errorf("%d records", n)
		}
	})
}

// TestADestroyThatSharesABatchWithADroppedChangeDestroys: the session had reached its absolute
// timeout, so that the changes are dropped. Its record must go all the same: under a longer
// timeout, it would be back.
func TestADestroyThatSharesABatchWithADroppedChangeDestroys(t *testing.T) {
	o := sessionstore.Options{AbsoluteTimeout: time.Hour, StoreTimeout: 10 * time.Second}
	bubble(t, o, func(t *testing.T, r *rig) {
		id := r.begin(update(`{"user":1}`))
		time.Sleep(time.Hour - time.Second)
		s := r.exists(id)
		r.store.before(set, 1, slow(2*time.Second))
		first := r.start(t.Context(), s, update(`{"b":1}`))
		change := r.start(t.Context(), s, update(`{"c":1}`))
		end := r.start(t.Context(), s, destroy)
		if a := <-first; a.err != nil || a.out.Result != sessionstore.Saved {
			t.Errorf("%+v", a)
		}
		if a := <-change; a.err != nil || a.out.Result != sessionstore.Dropped {
			t.Errorf("%+v", a)
		}
		if a := <-end; a.err != nil || a.out.Cookie != sessionstore.CookieExpired {
			t.Errorf("%+v", a)
		}
		longer := r.another(sessionstore.Options{AbsoluteTimeout: 24 * time.Hour})
		longer.gone(id)
	})
}

// TestADestroyWhoseClientVanishesIsFinished as any change is.
func TestADestroyWhoseClientVanishesIsFinished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, sessionstore.Options{})
		id := r.begin(update(`{"a":1}`))
		ctx, cancel := context.WithCancel(t.Context())
		r.store.before(del, 1, then(cancel))
		if out, err := r.Commit(ctx, r.exists(id), change(destroy)); err != nil || out.Cookie != sessionstore.CookieExpired {
			t.Errorf("%+v, %v", out, err)
		}
		r.gone(id)
	})
}
