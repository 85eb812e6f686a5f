package sessionstore_test

import (
	"math"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
)

const day = 24 * time.Hour

// until checks when the session ends if nobody uses it, on both sides of that moment.
func (r *rig) until(id string, left time.Duration) {
	r.Helper()
	s := r.exists(id)
	if got := time.Until(s.Expires()); got != left {
		r.Errorf("expires in %v, want %v", got, left)
	}
	time.Sleep(left - 1)
	r.exists(id)
	time.Sleep(time.Nanosecond)
	r.gone(id)
}

func TestASessionThatNobodyUsesIdlesOut(t *testing.T) {
	bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
		r.until(r.begin(update(`{"a":1}`)), day)
	})
	bubble(t, sessionstore.Options{IdleTimeout: 90 * time.Second}, func(t *testing.T, r *rig) {
		r.until(r.begin(update(`{"a":1}`)), 90*time.Second)
	})
}

func TestASaveIsAUse(t *testing.T) {
	bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
		id := r.begin(update(`{"a":1}`))
		time.Sleep(day - 1)
		r.do(r.exists(id), update(`{"b":1}`))
		r.until(id, day)
	})
}

func TestTheAbsoluteTimeoutHoldsWhateverHappens(t *testing.T) {
	bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
		id := r.begin(update(`{"n":0}`))
		created, end := time.Now(), time.Now().Add(31*day)
		for time.Until(end) > 12*time.Hour {
			time.Sleep(12 * time.Hour)
			s := r.exists(id)
			if !s.AbsoluteEnd().Equal(end) || !s.Created().Equal(created) || s.Expires().After(end) {
				t.Fatalf("created %v, ends %v, expires %v", s.Created(), s.AbsoluteEnd(), s.Expires())
			}
			if err := r.Touch(t.Context(), s); err != nil {
				t.Error(err)
			}
			if out := r.do(s, regenerate, idle(60*day), update(`[{"op":"increment","path":"/n","value":1}]`)); !out.CookieEnd.Equal(end) {
				t.Fatalf("the cookie ends %v", out.CookieEnd)
			} else {
				id = out.ID
			}
		}
		s := r.exists(id)
		r.until(id, time.Until(end))
		// It had been loaded in time.
		r.outcome(r.do(s, update(`{"late":1}`)), sessionstore.Dropped, sessionstore.CookieKept)
		r.outcome(r.do(s, regenerate), sessionstore.Dropped, sessionstore.CookieKept)
		if err := r.Refresh(t.Context(), s); err != nil {
			t.Error(err)
		}
		r.gone(id)
	})
}

// TestAnIdledOutSessionStaysSo: whoever had loaded it does not bring it back.
func TestAnIdledOutSessionStaysSo(t *testing.T) {
	bubble(t, sessionstore.Options{IdleTimeout: time.Hour}, func(t *testing.T, r *rig) {
		id := r.begin(update(`{"a":1}`))
		s := r.exists(id)
		time.Sleep(time.Hour)
		if err := r.Touch(t.Context(), s); err != nil {
			t.Error(err)
		}
		r.outcome(r.do(s, update(`{"b":1}`)), sessionstore.Dropped, sessionstore.CookieKept)
		r.outcome(r.do(s, regenerate, update(`{"b":1}`)), sessionstore.Dropped, sessionstore.CookieKept)
		r.gone(id)
		if n := len(r.records()); n != 0 {
			t.Errorf("%d records", n)
		}
		r.outcome(r.do(s, destroy), sessionstore.Saved, sessionstore.CookieExpired)
	})
}

func TestAnIdleTimeoutOfItsOwn(t *testing.T) {
	for name, c := range map[string]struct{ own, want time.Duration }{
		"shorter":             {time.Hour, time.Hour},
		"one second":          {time.Second, time.Second},
		"longer":              {3 * day, 3 * day},
		"as the default":      {day, day},
		"the absolute one":    {31 * day, 31 * day},
		"beyond the absolute": {32 * day, 31 * day},
		"for ever":            {math.MaxInt64, 31 * day},
		"none":                {0, day},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
				r.until(r.begin(update(`{"a":1}`), idle(c.own)), c.want)

				// Asked for later, and kept by a save that does not speak of it.
				id := r.begin(update(`{"a":1}`))
				result := sessionstore.Saved
				if c.own == 0 {
					result = sessionstore.Unchanged
				}
				r.outcome(r.do(r.exists(id), idle(c.own)), result, sessionstore.CookieKept)
				r.do(r.exists(id), update(`{"b":1}`))
				id = r.do(r.exists(id), regenerate).ID
				r.until(id, c.want)

				// In the place of another.
				id = r.begin(update(`{"a":1}`), idle(7*time.Minute))
				r.outcome(r.do(r.exists(id), idle(c.own)), sessionstore.Saved, sessionstore.CookieKept)
				r.until(id, c.want)

				// And taken back.
				id = r.begin(update(`{"a":1}`), idle(c.own))
				r.do(r.exists(id), idle(0))
				r.until(id, day)
			})
		})
	}
}

// TestThePresentConfigurationHolds: the idle timeout counts from the last use, whatever it was
// then.
func TestThePresentConfigurationHolds(t *testing.T) {
	for name, c := range map[string]struct {
		then, now    time.Duration
		own          time.Duration
		unused, left time.Duration // left 0: gone
	}{
		"as it was":               {then: 4 * time.Hour, now: 4 * time.Hour, unused: time.Hour, left: 3 * time.Hour},
		"shorter, not yet":        {then: 4 * time.Hour, now: 2 * time.Hour, unused: time.Hour, left: time.Hour},
		"shorter, almost":         {then: 4 * time.Hour, now: 2 * time.Hour, unused: 2*time.Hour - 1, left: 1},
		"shorter, just over":      {then: 4 * time.Hour, now: 2 * time.Hour, unused: 2 * time.Hour},
		"shorter, long over":      {then: 4 * time.Hour, now: time.Minute, unused: 3 * time.Hour},
		"longer":                  {then: 2 * time.Hour, now: 4 * time.Hour, unused: time.Hour, left: 3 * time.Hour},
		"longer, too late":        {then: 2 * time.Hour, now: 4 * time.Hour, unused: 2 * time.Hour},
		"its own":                 {then: 4 * time.Hour, now: time.Minute, own: 3 * time.Hour, unused: 2 * time.Hour, left: time.Hour},
		"its own under a longer":  {then: time.Hour, now: 10 * time.Hour, own: 3 * time.Hour, unused: 2 * time.Hour, left: time.Hour},
		"its own, out of reach":   {then: time.Hour, now: 10 * time.Hour, own: 3 * time.Hour, unused: 3 * time.Hour},
		"its own equal to it now": {then: time.Hour, now: 3 * time.Hour, own: 3 * time.Hour, unused: time.Hour, left: 2 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, sessionstore.Options{IdleTimeout: c.then}, func(t *testing.T, r *rig) {
				parts := []part{update(`{"a":1}`)}
				if c.own != 0 {
					parts = append(parts, idle(c.own))
				}
				id := r.begin(parts...)
				time.Sleep(c.unused)
				now := r.another(sessionstore.Options{IdleTimeout: c.now})
				if c.left == 0 {
					now.gone(id)
					return
				}
				s := now.exists(id)
				if left := time.Until(s.Expires()); left != c.left {
					t.Errorf("expires in %v, want %v", left, c.left)
				}
				if c.own == 0 && c.now != c.then && !s.TouchDue() {
					t.Error("no touch is due, so the record would go on as it was")
				}
				// A touch is a use, from when on the present configuration holds.
				if err := now.Touch(t.Context(), s); err != nil {
					t.Error(err)
				}
				want := c.now
				if c.own != 0 {
					want = c.own
				}
				now.want(id, `{"a":1}`)
				now.until(id, want)
			})
		})
	}
}

func TestThePresentConfigurationHoldsForASave(t *testing.T) {
	for _, now := range []time.Duration{time.Hour, 10 * time.Hour} {
		bubble(t, sessionstore.Options{IdleTimeout: 4 * time.Hour}, func(t *testing.T, r *rig) {
			id := r.begin(update(`{"a":1}`))
			later := r.another(sessionstore.Options{IdleTimeout: now})
			later.do(later.exists(id), update(`{"b":1}`))
			later.until(id, now)
		})
	}
}

func TestThePresentAbsoluteTimeoutHolds(t *testing.T) {
	bubble(t, sessionstore.Options{AbsoluteTimeout: 10 * time.Hour}, func(t *testing.T, r *rig) {
		id := r.begin(update(`{"a":1}`))
		time.Sleep(5 * time.Hour)
		shorter := r.another(sessionstore.Options{AbsoluteTimeout: 5*time.Hour + 1})
		if s := shorter.exists(id); time.Until(s.Expires()) != 1 {
			t.Errorf("expires in %v", time.Until(s.Expires()))
		}
		shorter = r.another(sessionstore.Options{AbsoluteTimeout: 5 * time.Hour})
		shorter.gone(id)
		time.Sleep(5 * time.Hour)
		r.gone(id)
		longer := r.another(sessionstore.Options{AbsoluteTimeout: 20 * time.Hour})
		longer.until(id, 10*time.Hour)
	})
}

// TestACreationTimeInTheFutureCountsAsNow: of a machine whose clock was wrong.
func TestACreationTimeInTheFutureCountsAsNow(t *testing.T) {
	bubble(t, sessionstore.Options{IdleTimeout: 10 * time.Hour, AbsoluteTimeout: 20 * time.Hour}, func(t *testing.T, r *rig) {
		id := sessionstore.NewID()
		r.plant(id, r.encode(sessionstore.Record{
			Created: time.Now().Add(1000 * time.Hour), Idle: 10 * time.Hour, Scope: here.String(), Data: []byte(`{"a":1}`),
		}), 10*time.Hour)
		for range 3 {
			s := r.exists(id)
			if !s.Created().Equal(time.Now()) || !s.AbsoluteEnd().Equal(time.Now().Add(20*time.Hour)) {
				t.Errorf("created %v, ends %v", s.Created(), s.AbsoluteEnd())
			}
			time.Sleep(time.Hour)
		}
		// From the first save on, it is as old as that.
		r.do(r.exists(id), update(`{"b":1}`))
		saved := time.Now()
		time.Sleep(9 * time.Hour)
		if s := r.exists(id); !s.Created().Equal(saved) {
			t.Errorf("created %v", s.Created())
		}
		out := r.do(r.exists(id), regenerate)
		if !out.CookieEnd.Equal(saved.Add(20 * time.Hour)) {
			t.Errorf("ends %v", out.CookieEnd)
		}
	})
}

func TestRegeneratingASessionFromTheFuture(t *testing.T) {
	bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
		id := sessionstore.NewID()
		r.plant(id, r.encode(sessionstore.Record{
			Created: time.Now().Add(1000 * time.Hour), Idle: day, Scope: here.String(), Data: []byte(`{"a":1}`),
		}), day)
		out := r.do(r.exists(id), regenerate)
		if want := time.Now().Add(sessionstore.DefaultAbsoluteTimeout); !out.CookieEnd.Equal(want) || !r.exists(out.ID).AbsoluteEnd().Equal(want) {
			t.Errorf("ends %v", out.CookieEnd)
		}
	})
}

// TestAStoreThatKeepsRecordsLonger than asked, as one that counts whole seconds does: no session is
// said to live longer for it.
func TestAStoreThatKeepsRecordsLonger(t *testing.T) {
	bubble(t, sessionstore.Options{IdleTimeout: time.Hour}, func(t *testing.T, r *rig) {
		id := sessionstore.NewID()
		rec := sessionstore.Record{Created: time.Now(), Idle: time.Hour, Scope: here.String(), Data: []byte(`{"a":1}`)}
		r.plant(id, r.encode(rec), time.Hour+time.Second)
		if s := r.exists(id); time.Until(s.Expires()) != time.Hour || s.TouchDue() {
			t.Errorf("expires in %v, touch due %t", time.Until(s.Expires()), s.TouchDue())
		}
	})
}

// TestTimeoutsOfCenturies: somebody who wants sessions without an end writes a large number.
func TestTimeoutsOfCenturies(t *testing.T) {
	for name, o := range map[string]sessionstore.Options{
		"two centuries":          {IdleTimeout: 200 * 365 * day, AbsoluteTimeout: 200 * 365 * day},
		"the longest there is":   {IdleTimeout: math.MaxInt64, AbsoluteTimeout: math.MaxInt64},
		"the longest idle alone": {IdleTimeout: math.MaxInt64},
	} {
		bubble(t, o, func(t *testing.T, r *rig) {
			id := r.begin(update(`{"a":1}`))
			time.Sleep(time.Hour)
			if s := r.load(id); !s.Exists() {
				t.Errorf("%s: gone", name)
			}
			own := r.begin(update(`{"a":1}`), idle(math.MaxInt64))
			if s := r.load(own); !s.Exists() {
				t.Errorf("%s, its own: gone", name)
			}
			r.outcome(r.do(r.load(own), update(`{"a":2}`)), sessionstore.Saved, sessionstore.CookieKept)
		})
	}
}

// TestTimeoutsThatAreNoWholeMilliseconds are not changed configurations: nothing is saved for them.
func TestTimeoutsThatAreNoWholeMilliseconds(t *testing.T) {
	bubble(t, sessionstore.Options{IdleTimeout: day / 7, AbsoluteTimeout: day/7*3 + 1}, func(t *testing.T, r *rig) {
		for name, id := range map[string]string{
			"the default": r.begin(update(`{"a":1}`)),
			"its own":     r.begin(update(`{"a":1}`), idle(day)),
		} {
			s := r.exists(id)
			if s.TouchDue() {
				t.Errorf("%s: a touch is due at once", name)
			}
			r.store.heal()
			if err := r.Touch(t.Context(), s); err != nil {
				t.Error(err)
			}
			if n := r.store.count(set); n != 0 {
				t.Errorf("%s: touching saved", name)
			}
		}
	})
}
