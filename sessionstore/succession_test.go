package sessionstore_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// TestAnUnusedSuccessorEndsTheOldID some time after the app has asked for a new one, and nothing
// makes that later.
func TestAnUnusedSuccessorEndsTheOldID(t *testing.T) {
	for name, c := range map[string]struct {
		o    sessionstore.Options
		want time.Duration
	}{
		"by default":            {sessionstore.Options{}, 5 * time.Minute},
		"as configured":         {sessionstore.Options{RegenerateUnused: 30 * time.Second}, 30 * time.Second},
		"with its idle timeout": {sessionstore.Options{IdleTimeout: 20 * time.Second}, 20 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, c.o, func(t *testing.T, r *rig) {
				id := r.begin(update(`{"a":1}`))
				newID := r.do(r.exists(id), regenerate).ID
				end := time.Now().Add(c.want)
				for range 10 {
					s := r.exists(id)
					if !s.Former() || s.TouchDue() || !s.Expires().Equal(end) {
						t.Errorf("former %t, due %t, expires in %v", s.Former(), s.TouchDue(), time.Until(s.Expires()))
					}
					if err := r.Touch(t.Context(), s); err != nil {
						t.Error(err)
					}
					if err := r.Refresh(t.Context(), s); err != nil {
						t.Error(err)
					}
					r.do(s, update(fmt.Sprintf(`{"b":%d}`, time.Now().UnixNano())))
					r.do(r.exists(id), regenerate)
					time.Sleep(c.want / 10)
				}
				r.gone(id)
				if c.o.IdleTimeout == 0 {
					r.want(newID, `{"a":1}`)
				}
			})
		})
	}
}

// TestALoginAcrossTheEndOfAnUnusedOldID: the first of two logins got an id that nobody uses.
// Whether the second makes one too depends on when the old id ends: afterwards it begins anew, but
// one under way at that moment is dropped, as with any end.
func TestALoginAcrossTheEndOfAnUnusedOldID(t *testing.T) {
	for name, c := range map[string]struct {
		asks, answers time.Duration // before the end
		want          sessionstore.Result
	}{
		"before":    {time.Second, time.Millisecond, sessionstore.Saved},
		"under way": {time.Millisecond, 0, sessionstore.Dropped},
		"after":     {0, -time.Second, sessionstore.Saved},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, sessionstore.Options{RegenerateUnused: 2 * time.Second}, func(t *testing.T, r *rig) {
				login := both(update(`{"user":"ada"}`), regenerate)
				id := r.begin(update(`{"visits":1}`))
				r.do(r.exists(id), login)
				time.Sleep(2*time.Second - c.asks)
				second := r.load(id)
				time.Sleep(c.asks - c.answers)
				out := r.do(second, login)
				if out.Result != c.want || (out.Cookie == sessionstore.CookieSet) != (c.want == sessionstore.Saved) {
					t.Errorf("result %v, cookie %v", out.Result, out.Cookie)
				}
			})
		})
	}
}

// TestTheVaultAloneEndsNoOldID: an app that writes its cookie anew must not log out who lost a
// response.
func TestTheVaultAloneEndsNoOldID(t *testing.T) {
	bubble(t, sessionstore.Options{RegenerateOn: paths("user")}, func(t *testing.T, r *rig) {
		id := r.begin(loginCookies("app=1"))
		r.outcome(r.do(r.exists(id), loginCookies("app=2")), sessionstore.Saved, sessionstore.CookieSet)
		for range 100 {
			time.Sleep(time.Hour)
			s := r.exists(id)
			if err := r.Touch(t.Context(), s); err != nil {
				t.Error(err)
			}
		}
		r.keeps(id, "app=1")
		// With a login beside it, it does end.
		r.outcome(r.do(r.exists(id), loginCookies("app=3"), update(`{"user":1}`)), sessionstore.Saved, sessionstore.CookieSet)
		time.Sleep(sessionstore.DefaultRegenerateUnused)
		r.gone(id)
	})
}

// TestFirstUseEndsTheOldID before the load returns, whatever state it is in.
func TestFirstUseEndsTheOldID(t *testing.T) {
	for name, between := range map[string]func(r *rig, id string){
		"as it was":         func(*rig, string) {},
		"changed":           func(r *rig, id string) { r.do(r.exists(id), update(`{"b":1}`)) },
		"emptied":           func(r *rig, id string) { r.do(r.exists(id), update(`{"a":null}`)) },
		"regenerated again": func(r *rig, id string) { r.do(r.exists(id), regenerate) },
		"destroyed":         func(r *rig, id string) { r.do(r.exists(id), destroy) },
		"damaged":           func(r *rig, id string) { r.plant(id, []byte("?"), time.Hour) },
		"changed at that moment": func(r *rig, id string) {
			other := r.another(sessionstore.Options{})
			r.store.after(get, 2, then(func() { other.do(other.exists(id), update(`{"c":1}`)) }))
		},
		"destroyed at that moment": func(r *rig, id string) {
			other := r.another(sessionstore.Options{})
			r.store.after(get, 2, then(func() { other.do(other.exists(id), destroy) }))
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, sessionstore.Options{})
			id := r.begin(update(`{"a":1}`))
			newID := r.do(r.exists(id), regenerate).ID
			between(r, id)
			if s := r.exists(newID); s.Data() != `{"a":1}` || !s.FirstUse() || s.Former() {
				t.Errorf("%s, first use %t", s.Data(), s.FirstUse())
			}
			if name != "damaged" {
				r.gone(id)
			}
			if s := r.exists(newID); !s.FirstUse() {
				t.Error("nobody has said that it is used")
			} else if err := r.Touch(t.Context(), s); err != nil {
				t.Error(err)
			}
			r.store.heal()
			if s := r.exists(newID); s.FirstUse() || r.store.count(get) != 1 {
				t.Errorf("first use %t after %d reads", s.FirstUse(), r.store.count(get))
			}
		})
	}
}

// TestFirstUseIsSavedWithTheRequestsOwnChange, so that it costs no operation.
func TestFirstUseIsSavedWithTheRequestsOwnChange(t *testing.T) {
	r := newRig(t, sessionstore.Options{})
	id := r.begin(update(`{"a":1}`))
	under := r.exists(id)
	newID := r.do(r.exists(id), regenerate).ID
	// One that is led there does not use the new id.
	r.do(under, update(`{"b":1}`))
	s := r.exists(newID)
	if !s.FirstUse() {
		t.Error("the new id counts as used, and nobody has come with it")
	}
	r.store.heal()
	r.do(s, update(`{"c":1}`))
	if n := r.store.count(set) + r.store.count(get); n != 1 || r.exists(newID).FirstUse() {
		t.Errorf("%d operations", n)
	}
	r.want(newID, `{"a":1,"b":1,"c":1}`)
}

// TestAFirstUseThatCannotBeWrittenIsAFailedLoad: from an answer on, nobody is in the session by the
// old id.
func TestAFirstUseThatCannotBeWrittenIsAFailedLoad(t *testing.T) {
	for name, fault := range map[string]func(f *faults){
		"the old record cannot be read":    func(f *faults) { f.before(get, 2, lose) },
		"the old record cannot be written": func(f *faults) { f.before(set, 1, lose) },
		"the answer is lost":               func(f *faults) { f.after(set, 1, lose) },
	} {
		r := newRig(t, sessionstore.Options{})
		id := r.begin(update(`{"a":1}`))
		newID := r.do(r.exists(id), regenerate).ID
		r.store.heal()
		fault(r.store)
		if s, err := r.Load(t.Context(), newID, here); !errors.Is(err, errLost) || s.Exists() {
			t.Errorf("%s: exists %t, %v", name, s.Exists(), err)
		}
		r.want(newID, `{"a":1}`)
		r.gone(id)
	}
}

// TestChainsOfSuccessors stands on both sides of the limit of how far a change is led.
func TestChainsOfSuccessors(t *testing.T) {
	for _, n := range []int{1, 2, 5, sessionstore.MaxHops - 1, sessionstore.MaxHops} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			r := newRig(t, sessionstore.Options{})
			id := r.begin(update(`{"n":0}`))
			early := r.exists(id)
			for range n {
				id = r.do(r.exists(id), regenerate, count).ID
			}
			if n == sessionstore.MaxHops {
				r.refuse(sessionstore.ErrUnavailable, early, update(`{"early":1}`))
				r.refuse(sessionstore.ErrUnavailable, early, destroy)
				r.want(id, fmt.Sprintf(`{"n":%d}`, n))
				return
			}
			r.do(early, update(`{"early":1}`))
			r.want(id, fmt.Sprintf(`{"n":%d,"early":1}`, n))
			r.do(early, destroy)
			r.gone(id)
			if n := r.count(sessionstore.Live); n != 0 {
				t.Errorf("%d sessions", n)
			}
		})
	}
}

// TestMarksInACircle are not what a manager writes, but what it must not hang on.
func TestMarksInACircle(t *testing.T) {
	bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
		id, other := r.begin(update(`{"a":1}`)), sessionstore.NewID()
		s := r.exists(id)
		for id, target := range map[string]string{id: other, other: id} {
			r.plant(id, r.encode(sessionstore.Record{
				State: sessionstore.Mark, Gen: 1, Target: sessionstore.Ref(target), Scope: here.String(), Data: []byte("{}"), Created: time.Now(),
			}), time.Hour)
		}
		start := time.Now()
		r.gone(id)
		r.refuse(sessionstore.ErrUnavailable, s, update(`{"b":1}`))
		if err := r.Refresh(t.Context(), s); err != nil {
			t.Error(err)
		}
		if time.Since(start) > 0 {
			t.Error("it took time")
		}
	})
}

// TestARequestThatTakesLongFindsItsSuccessors: it looks once a minute, since what leads there lives
// for three. It may take hours, and its session may get new ids all the time.
func TestARequestThatTakesLongFindsItsSuccessors(t *testing.T) {
	bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
		id := r.begin(update(`{"n":0}`))
		slow, blind := r.another(sessionstore.Options{}), r.another(sessionstore.Options{})
		s, unseen := slow.exists(id), blind.exists(id)
		for range 20 {
			id = r.do(r.exists(id), regenerate, count).ID
			r.exists(id)
			for range 5 {
				time.Sleep(slow.RefreshInterval(s))
				if err := slow.Refresh(t.Context(), s); err != nil {
					t.Error(err)
				}
			}
		}
		r.outcome(slow.do(s, update(`{"slow":1}`)), sessionstore.Saved, sessionstore.CookieKept)
		r.outcome(slow.do(s, regenerate, update(`{"login":1}`)), sessionstore.Dropped, sessionstore.CookieKept)
		r.want(id, `{"n":20,"slow":1}`)
		// One whose process did not look has lost it.
		r.outcome(blind.do(unseen, update(`{"blind":1}`)), sessionstore.Dropped, sessionstore.CookieKept)
		r.outcome(slow.do(s, destroy), sessionstore.Saved, sessionstore.CookieExpired)
		r.gone(id)
	})
}

// TestALookIsOnceAMinute, and more often where the session idles out sooner.
func TestALookIsOnceAMinute(t *testing.T) {
	r := newRig(t, sessionstore.Options{})
	s := r.exists(r.begin(update(`{"a":1}`)))
	if d := r.RefreshInterval(s); d != time.Minute {
		t.Error(d)
	}
	if d := r.RefreshInterval(r.exists(r.begin(update(`{"a":1}`), idle(time.Minute)))); d != 3*time.Second {
		t.Error(d)
	}
}

// TestAVaultedCookieUnderWayChangesWhatItWasGivenOnly: after a login or a logout of the app, a
// request under way must not bring the old cookie back.
func TestAVaultedCookieUnderWayChangesWhatItWasGivenOnly(t *testing.T) {
	for name, c := range map[string]struct{ login, slow, want string }{
		"the login's cookie":      {"app=bob", "app=alice2", "lang=en; app=bob"},
		"one that is as it was":   {"app=bob", "lang=de", "lang=de; app=bob"},
		"one that nobody had":     {"app=bob", "new=1", "lang=en; app=bob; new=1"},
		"one that is new there":   {"new=bob", "new=alice", "lang=en; app=alice; new=bob"},
		"one that is gone there":  {"app=; Max-Age=0", "app=alice2", "lang=en"},
		"a deletion of the login": {"app=bob", "app=; Max-Age=0", "lang=en; app=bob"},
		"on another path":         {"app=bob", "app=1; Path=/x", "lang=en; app=bob"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, sessionstore.Options{})
			id := r.begin(cookies("lang=en", "app=alice"))
			under := r.exists(id)
			newID := r.do(r.exists(id), regenerate, cookies(c.login)).ID
			out := r.do(under, cookies(c.slow), update(`{"slow":1}`))
			r.outcome(out, sessionstore.Saved, sessionstore.CookieKept)
			r.keeps(newID, c.want)
			r.want(newID, `{"slow":1}`)
		})
	}
}

// TestAChangeThatWouldBeALoginAtTheSuccessorIsDropped: by what its request had loaded, it was none.
func TestAChangeThatWouldBeALoginAtTheSuccessorIsDropped(t *testing.T) {
	r := newRig(t, sessionstore.Options{RegenerateOn: paths("user")})
	id := r.begin(update(`{"user":"alice"}`))
	under := r.exists(id)
	bob := r.do(r.exists(id), update(`{"user":"bob"}`)).ID
	r.outcome(r.do(under, update(`{"user":"alice","x":1}`)), sessionstore.Dropped, sessionstore.CookieKept)
	r.want(bob, `{"user":"bob"}`)
}

// TestALoginUnderWayThatBecomesEmpty calls for no new id any more: it ends the session, where that
// is now.
func TestALoginUnderWayThatBecomesEmpty(t *testing.T) {
	r := newRig(t, sessionstore.Options{RegenerateOn: paths("user")})
	id := r.begin(update(`{"user":"alice"}`))
	under := r.exists(id)
	next := r.do(r.exists(id), regenerate).ID
	r.outcome(r.do(under, update(`{"user":null}`)), sessionstore.Saved, sessionstore.CookieKept)
	r.gone(next)
}

// TestASlowResponseThatLeavesNothingIsDropped: all that it would be given a new id for is what a
// logout beside it has taken away.
func TestASlowResponseThatLeavesNothingIsDropped(t *testing.T) {
	r := newRig(t, sessionstore.Options{RegenerateOn: paths("user")})
	id := r.begin(update(`{"user":"alice"}`))
	under := r.exists(id)
	out := r.do(r.exists(id), update(`{"user":null,"bye":1}`))
	before := len(r.records())
	r.outcome(r.do(under, regenerate), sessionstore.Dropped, sessionstore.CookieKept)
	r.want(out.ID, `{"bye":1}`)
	if n := len(r.records()); n != before {
		t.Errorf("%d records, want %d", n, before)
	}
}

// TestWhoHasLostAnAnswerKeepsAll that the old record holds. Such a client cannot be told from one
// that comes beside it, but by when it has loaded the session.
func TestWhoHasLostAnAnswerKeepsAll(t *testing.T) {
	r := newRig(t, sessionstore.Options{RegenerateOn: paths("user")})
	id := r.begin(loginCookies("app=1"), update(`{"user":"alice","cart":[1]}`))
	r.do(r.exists(id), loginCookies("app=2"), update(`{"user":"alice2","cart":[2]}`))
	again := r.do(r.exists(id), loginCookies("note=1")).ID
	r.keeps(again, "app=1; note=1")
	r.want(again, `{"user":"alice","cart":[1]}`)
}

// TestASlowResponseFindsNoSuccessor: whatever that had replaced, is not taken along.
func TestASlowResponseFindsNoSuccessor(t *testing.T) {
	for name, lose := range map[string]func(r *rig, id string){
		"gone": func(r *rig, id string) {
			if _, err := r.ledger.CompareAndDelete(t.Context(), sessionstore.Ref(id), r.entry(id).Value); err != nil {
				t.Error(err)
			}
		},
		"damaged": func(r *rig, id string) { r.plant(id, []byte("?"), time.Hour) },
	} {
		r := newRig(t, sessionstore.Options{})
		id := r.begin(loginCookies("app=1"), update(`{"cart":[1]}`))
		under := r.exists(id)
		lose(r, r.do(r.exists(id), loginCookies("app=2")).ID)
		if name == "damaged" {
			r.refuse(sessionstore.ErrRecord, under, loginCookies("note=1"))
			r.keeps(id, "app=1")
			continue
		}
		r.keeps(r.do(under, loginCookies("note=1")).ID, "note=1")
	}
}

// TestAClockThatWasFast: a creation time in the future counts as now, and is saved so at the next
// touch. No clock makes a session outlive the absolute timeout.
func TestAClockThatWasFast(t *testing.T) {
	for name, ahead := range map[string]time.Duration{"ten years": 87600 * time.Hour, "three seconds": 3 * time.Second} {
		for how, save := range map[string]func(r *rig, s *sessionstore.Session){
			"touched":   func(r *rig, s *sessionstore.Session) { _ = r.Touch(r.Context(), s) },
			"refreshed": func(r *rig, s *sessionstore.Session) { _ = r.Refresh(r.Context(), s) },
			"changed":   func(r *rig, s *sessionstore.Session) { r.do(s, update(`{"b":1}`)) },
		} {
			t.Run(name+", "+how, func(t *testing.T) {
				bubble(t, sessionstore.Options{AbsoluteTimeout: 3 * day, IdleTimeout: 2 * day}, func(t *testing.T, r *rig) {
					id := sessionstore.NewID()
					r.plant(id, r.encode(sessionstore.Record{
						Created: time.Now().Add(ahead), Idle: 2 * day, Scope: here.String(), Data: []byte(`{"a":1}`),
					}), 2*day)
					s := r.exists(id)
					if !s.TouchDue() || !s.AbsoluteEnd().Equal(time.Now().Add(3*day)) {
						t.Errorf("due %t, ends %v", s.TouchDue(), s.AbsoluteEnd())
					}
					save(r, s)
					end := time.Now().Add(3 * day)
					for range 3 {
						time.Sleep(day - time.Second)
						r.do(r.exists(id), update(fmt.Sprintf(`{"at":%d}`, time.Now().Unix())))
					}
					if left := time.Until(r.exists(id).AbsoluteEnd()); left != time.Until(end) {
						t.Errorf("it has %v left, want %v", left, time.Until(end))
					}
					time.Sleep(time.Until(end))
					r.gone(id)
				})
			})
		}
	}
}
