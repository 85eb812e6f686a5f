package sessionstore_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// touchDefault is the touch interval of the default idle timeout.
const touchDefault = sessionstore.DefaultIdleTimeout / 20

// use is what a request does with its session, off its path.
func (r *rig) use(s *sessionstore.Session) {
	r.Helper()
	if !s.TouchDue() {
		return
	}
	if err := r.Touch(context.Background(), s); err != nil {
		r.Errorf("touching: %v", err)
	}
}

func TestATouchIsDueOnceInAnInterval(t *testing.T) {
	for name, c := range map[string]struct {
		o    sessionstore.Options
		own  time.Duration
		want time.Duration
	}{
		"default":                     {sessionstore.Options{}, 0, touchDefault},
		"of an hour":                  {sessionstore.Options{IdleTimeout: time.Hour}, 0, 3 * time.Minute},
		"configured":                  {sessionstore.Options{TouchInterval: time.Hour}, 0, time.Hour},
		"its own, shorter":            {sessionstore.Options{}, time.Hour, 3 * time.Minute},
		"its own, longer":             {sessionstore.Options{}, 2 * day, touchDefault},
		"its own, very short":         {sessionstore.Options{}, time.Second, 50 * time.Millisecond},
		"its own, interval shorter":   {sessionstore.Options{TouchInterval: time.Minute}, time.Hour, time.Minute},
		"its own, interval too long":  {sessionstore.Options{TouchInterval: 20 * time.Hour}, 10 * time.Hour, 30 * time.Minute},
		"its own, beyond the session": {sessionstore.Options{AbsoluteTimeout: time.Hour}, 5 * time.Hour, 3 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, c.o, func(t *testing.T, r *rig) {
				parts := []part{update(`{"a":1}`)}
				if c.own != 0 {
					parts = append(parts, idle(c.own))
				}
				id := r.begin(parts...)
				if got := r.RefreshInterval(r.exists(id)); got != min(c.want, time.Minute) {
					t.Errorf("interval %v, want %v", got, c.want)
				}
				for range 5 {
					time.Sleep(c.want - 1)
					if r.exists(id).TouchDue() {
						t.Error("due before")
					}
					time.Sleep(time.Nanosecond)
					s := r.exists(id)
					if !s.TouchDue() {
						t.Error("not due after")
					}
					r.use(s)
					if r.exists(id).TouchDue() {
						t.Error("due after a touch")
					}
				}
				if n := r.store.count(touch); n != 5 {
					t.Errorf("%d touches", n)
				}
			})
		})
	}
}

func TestASessionInUseDoesNotIdleOut(t *testing.T) {
	bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
		id := r.begin(update(`{"a":1}`))
		value := r.entry(id).Value
		for range 100 {
			time.Sleep(7 * time.Hour)
			r.use(r.exists(id))
		}
		// No data were written for it, and the record is the same to the byte.
		if string(r.entry(id).Value) != string(value) || r.store.count(set) != 1 {
			t.Error("the record has changed")
		}
		r.until(id, day)
	})
}

func TestAThousandRequestsTouchOnce(t *testing.T) {
	bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
		id := r.begin(update(`{"a":1}`))
		r.store.before(touch, 0, slow(time.Millisecond))
		for round := range 3 {
			time.Sleep(touchDefault)
			var all sync.WaitGroup
			for range 1000 {
				all.Go(func() {
					s := r.exists(id)
					if err := r.Touch(t.Context(), s); err != nil {
						t.Error(err)
					}
					if err := r.Refresh(t.Context(), s); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			if n := r.store.count(touch); n != round+1 {
				t.Errorf("%d touches after %d intervals", n, round+1)
			}
		}
	})
}

// TestAThousandRequestsWithRealTime is the same for the race detector.
func TestAThousandRequestsWithRealTime(t *testing.T) {
	r := newRig(t, sessionstore.Options{})
	id := r.begin(update(`{"n":0}`))
	s := r.exists(id)
	var all sync.WaitGroup
	for i := range 1000 {
		all.Go(func() {
			if err := r.Touch(t.Context(), s); err != nil {
				t.Error(err)
			}
			if i%100 == 0 {
				r.do(r.exists(id), update(`[{"op":"increment","path":"/n","value":1}]`))
			}
			if err := r.Refresh(t.Context(), s); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := r.store.count(touch); n != 1 {
		t.Errorf("%d touches", n)
	}
	r.want(id, `{"n":10}`)
}

func TestAFailedTouchIsTriedAgain(t *testing.T) {
	bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
		id := r.begin(update(`{"a":1}`))
		time.Sleep(touchDefault)
		s := r.exists(id)
		r.store.before(touch, 0, lose)
		if err := r.Touch(t.Context(), s); !errors.Is(err, errLost) {
			t.Error(err)
		}
		r.store.heal()
		if !r.exists(id).TouchDue() {
			t.Error("not due any more")
		}
		r.use(r.exists(id))
		if n := r.store.count(touch); n != 1 {
			t.Errorf("%d touches", n)
		}
		r.until(id, day)
	})
}

func TestNothingElseIsTouched(t *testing.T) {
	for name, find := range map[string]func(r *rig, id string) *sessionstore.Session{
		"nobody":    func(r *rig, _ string) *sessionstore.Session { return &sessionstore.Session{Scope: here} },
		"not found": func(r *rig, _ string) *sessionstore.Session { return r.load(sessionstore.NewID()) },
		"destroyed": func(r *rig, id string) *sessionstore.Session {
			s := r.exists(id)
			r.do(r.exists(id), destroy)
			return s
		},
		"emptied": func(r *rig, id string) *sessionstore.Session {
			s := r.exists(id)
			r.do(r.exists(id), update(`{"a":null}`))
			return s
		},
		"destroyed by a new id": func(r *rig, id string) *sessionstore.Session {
			s := r.exists(id)
			r.do(r.exists(r.do(r.exists(id), regenerate).ID), destroy)
			return s
		},
	} {
		for where, other := range map[string]sessionstore.Options{"": {}, ", by another configuration": {IdleTimeout: time.Hour}} {
			t.Run(name+where, func(t *testing.T) {
				bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
					by := r.another(other)
					id := r.begin(update(`{"a":1}`))
					s := find(by, id)
					before, kept := r.records(), r.entry(id).TTL
					time.Sleep(time.Second)
					if err := by.Touch(t.Context(), s); err != nil {
						t.Error(err)
					}
					if err := by.Refresh(t.Context(), s); err != nil {
						t.Error(err)
					}
					if after := r.records(); len(after) != len(before) {
						t.Errorf("%d records, there were %d: %v", len(after), len(before), after)
					}
					if e := r.entry(id); e.Found() && e.TTL != kept-time.Second {
						t.Errorf("lives for %v, want %v", e.TTL, kept-time.Second)
					}
					for _, c := range by.store.calls {
						if c.key == "" {
							t.Errorf("%s without a key", c.op)
						}
					}
				})
			})
		}
	}
}

// TestManyLongRequestsTouchNoMoreOften has more long requests than a manager remembers touches of:
// each session is touched once in its interval all the same.
func TestManyLongRequestsTouchNoMoreOften(t *testing.T) {
	bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
		var under []*sessionstore.Session
		for range 300 {
			under = append(under, r.exists(r.begin(update(`{"a":1}`))))
		}
		for minute := range 144 {
			time.Sleep(time.Minute)
			for _, s := range under {
				if err := r.Refresh(t.Context(), s); err != nil {
					t.Fatal(err)
				}
			}
			if n, want := r.store.count(touch), (minute+1)/72*len(under); n != want {
				t.Fatalf("%d touches after %d minutes, want %d", n, minute+1, want)
			}
		}
	})
}

// TestLongRequestKeepsASessionThatIsAboutToEnd has sessions that are touched only shortly before
// they would end.
func TestLongRequestKeepsASessionThatIsAboutToEnd(t *testing.T) {
	for _, touch := range []time.Duration{time.Second, 20 * time.Second, 50 * time.Second, 59 * time.Second, time.Hour} {
		for used := range 60 {
			bubble(t, sessionstore.Options{IdleTimeout: time.Minute, TouchInterval: touch}, func(t *testing.T, r *rig) {
				id := r.begin(update(`{"a":1}`))
				time.Sleep(time.Duration(used) * time.Second)
				s := r.exists(id)
				time.Sleep(min(r.RefreshInterval(s), time.Until(s.Expires())/2))
				for range 20 {
					if err := r.Refresh(t.Context(), s); err != nil {
						t.Fatal(err)
					}
					time.Sleep(r.RefreshInterval(s))
				}
				if s := r.load(id); !s.Exists() {
					t.Errorf("touched once in %s and found %d s after its last use: it has idled out", touch, used)
				}
			})
		}
	}
}

func TestNobodyHasNoTouchInterval(t *testing.T) {
	r := newRig(t, sessionstore.Options{})
	if d := r.RefreshInterval(&sessionstore.Session{}); d != 0 {
		t.Error(d)
	}
}

// TestRefreshFollowsSuccessors and touches them, but not an old session that has an end.
func TestRefreshFollowsSuccessors(t *testing.T) {
	for name, o := range map[string]sessionstore.Options{
		"as it was":             {TouchInterval: time.Second},
		"another configuration": {TouchInterval: time.Second, IdleTimeout: 12 * time.Hour},
	} {
		bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
			by := r.another(o)
			first := r.begin(update(`{"a":1}`))
			long := by.exists(first) // of a request that takes long
			second := r.do(r.exists(first), regenerate).ID
			third := r.do(r.exists(second), regenerate).ID
			time.Sleep(5 * time.Second)
			marks := [2]time.Duration{r.entry(first).TTL, r.entry(second).TTL}
			for range 2 {
				if err := by.Refresh(t.Context(), long); err != nil {
					t.Error(err)
				}
			}
			if n := by.store.count(touch) + by.store.count(set); n != 1 {
				t.Errorf("%s: %d writes", name, n)
			}
			if ttls := [2]time.Duration{r.entry(first).TTL, r.entry(second).TTL}; ttls != marks {
				t.Errorf("%s: what has successors lives for %v, not %v", name, ttls, marks)
			}
			want := sessionstore.DefaultIdleTimeout
			if o.IdleTimeout != 0 {
				want = o.IdleTimeout
			}
			if s := by.exists(third); time.Until(s.Expires()) != want {
				t.Errorf("%s: expires in %v", name, time.Until(s.Expires()))
			}
		})
	}
}

// TestAttackOldIDKeepsTheSuccessorAlive has somebody who planted an id hold a request with it open,
// which began after the login: the session of the login idles out all the same.
func TestAttackOldIDKeepsTheSuccessorAlive(t *testing.T) {
	bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
		planted := r.begin(update(`{"a":1}`))
		login := r.do(r.exists(planted), regenerate).ID
		later := r.exists(planted)
		time.Sleep(time.Minute)
		ttl := r.entry(login).TTL
		if err := r.Refresh(t.Context(), later); err != nil {
			t.Error(err)
		}
		if now := r.entry(login).TTL; now != ttl {
			t.Errorf("the successor lives for %v, not %v", now, ttl)
		}
	})
}

// TestARequestThatTakesLongKeepsItsSession as long as it refreshes it, whatever is changed
// meanwhile.
func TestARequestThatTakesLongKeepsItsSession(t *testing.T) {
	bubble(t, sessionstore.Options{IdleTimeout: time.Minute}, func(t *testing.T, r *rig) {
		id := r.begin(update(`{"a":1}`))
		s := r.exists(id)
		other := r.another(sessionstore.Options{IdleTimeout: time.Minute})
		for i := range 100 {
			time.Sleep(r.RefreshInterval(s))
			if i == 30 {
				other.do(other.exists(id), update(`{"b":1}`))
			}
			if err := r.Refresh(t.Context(), s); err != nil {
				t.Error(err)
			}
		}
		r.outcome(r.do(s, update(`{"c":1}`)), sessionstore.Saved, sessionstore.CookieKept)
		r.want(id, `{"a":1,"b":1,"c":1}`)
	})
}

// TestATouchLosesNoUpdate: under another configuration a touch saves the record.
func TestATouchLosesNoUpdate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, sessionstore.Options{})
		longer := r.another(sessionstore.Options{IdleTimeout: 2 * day})
		id := r.begin(update(`{"n":0}`))
		s := longer.exists(id)
		// A change comes between the load and the touch.
		r.do(r.exists(id), update(`{"n":1}`))
		if err := longer.Touch(t.Context(), s); err != nil {
			t.Error(err)
		}
		r.want(id, `{"n":1}`)
		// A touch comes between the load and the change.
		under := r.exists(id)
		if err := r.another(sessionstore.Options{IdleTimeout: 3 * day}).Refresh(t.Context(), under); err != nil {
			t.Error(err)
		}
		out := r.do(under, update(`[{"op":"increment","path":"/n","value":1}]`))
		if out.Conflicts != 1 {
			t.Errorf("%d conflicts", out.Conflicts)
		}
		r.want(id, `{"n":2}`)
	})
}

// TestATouchUnderAnotherConfigurationSavesOnce: from then on, the record says what it is kept for.
func TestATouchUnderAnotherConfigurationSavesOnce(t *testing.T) {
	bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
		id := r.begin(update(`{"a":1}`), flash(`"x"`), permanent(true))
		by := r.another(sessionstore.Options{IdleTimeout: 12 * time.Hour})
		for range 10 {
			by.use(by.exists(id))
			time.Sleep(time.Hour)
		}
		if saves, touches := by.store.count(set), by.store.count(touch); saves != 1 || touches != 9 {
			t.Errorf("%d saves, %d touches", saves, touches)
		}
		if s := by.exists(id); s.Data() != `{"a":1}` || s.Flash() != `[["message","x"]]` || !s.Permanent() {
			t.Errorf("%s, %s, %t", s.Data(), s.Flash(), s.Permanent())
		}
	})
}
