package sessionstore_test

import (
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// reconfigured is a session under one cookie mark, and a manager of another.
func reconfigured(t *testing.T, f func(r *rig, id string)) {
	bubble(t, sessionstore.Options{CookieMark: "old"}, func(t *testing.T, r *rig) {
		id := r.begin(update(`{"a":1}`))
		if r.exists(id).CookieOutdated() {
			t.Error("outdated at once")
		}
		f(r.another(sessionstore.Options{CookieMark: "new"}), id)
	})
}

func (r *rig) outdated(id string, want bool) {
	r.Helper()
	if got := r.exists(id).CookieOutdated(); got != want {
		r.Errorf("outdated %t, want %t", got, want)
	}
}

func TestACookieSetUnderAnotherMarkIsOutdatedUntilItIsSetAgain(t *testing.T) {
	t.Run("by a response that saves nothing", func(t *testing.T) {
		reconfigured(t, func(r *rig, id string) {
			s := r.exists(id)
			r.outdated(id, true)
			if err := r.Touch(r.Context(), s); err != nil { // nobody was given anything
				t.Error(err)
			}
			r.outdated(id, true)
			if err := r.TouchGiven(r.Context(), r.exists(id)); err != nil {
				t.Error(err)
			}
			r.outdated(id, false)
			r.want(id, `{"a":1}`)
		})
	})
	t.Run("by a response that saves a change", func(t *testing.T) {
		reconfigured(t, func(r *rig, id string) {
			r.outcome(r.do(r.exists(id), update(`{"a":1}`)), sessionstore.Unchanged, sessionstore.CookieKept)
			r.outdated(id, true)
			r.outcome(r.do(r.exists(id), update(`{"b":1}`)), sessionstore.Saved, sessionstore.CookieKept)
			r.outdated(id, false)
		})
	})
	t.Run("by a new id", func(t *testing.T) {
		reconfigured(t, func(r *rig, id string) {
			out := r.do(r.exists(id), regenerate)
			if s := r.exists(id); s.CookieOutdated() || !s.Former() {
				t.Error("a former id is to be given a cookie")
			}
			r.outdated(out.ID, false)
		})
	})
}

func TestAnOutdatedCookieStaysSoWhereNoneIsGiven(t *testing.T) {
	t.Run("none can be", func(t *testing.T) {
		reconfigured(t, func(r *rig, id string) {
			s := r.exists(id)
			s.NoCookie = true
			if s.CookieOutdated() {
				t.Error("a client without cookies is to be given one")
			}
			r.outcome(r.do(s, update(`{"b":1}`)), sessionstore.Saved, sessionstore.CookieKept)
			r.outdated(id, true)
		})
	})
	t.Run("the save is lost", func(t *testing.T) {
		reconfigured(t, func(r *rig, id string) {
			r.store.before(set, 1, lose)
			if err := r.TouchGiven(r.Context(), r.exists(id)); err == nil {
				t.Error("no error")
			}
			r.outdated(id, true)
		})
	})
	t.Run("another has saved", func(t *testing.T) {
		reconfigured(t, func(r *rig, id string) {
			s, late := r.exists(id), r.exists(id)
			s.NoCookie = true
			r.do(s, update(`{"b":1}`))
			if err := r.TouchGiven(r.Context(), late); err != nil {
				t.Error(err)
			}
			r.outdated(id, true)
			r.want(id, `{"a":1,"b":1}`)
		})
	})
}

// A request that was under way during the reload does not take the mark back.
func TestAChangeUnderTheOldMarkKeepsTheNewOne(t *testing.T) {
	bubble(t, sessionstore.Options{CookieMark: "old"}, func(t *testing.T, r *rig) {
		id := r.begin(update(`{"a":1}`))
		slow := r.exists(id)
		now := r.another(sessionstore.Options{CookieMark: "new", IdleTimeout: time.Hour})
		now.do(now.exists(id), update(`{"b":1}`))
		r.outcome(r.do(slow, update(`{"c":1}`)), sessionstore.Saved, sessionstore.CookieKept)
		now.outdated(id, false)
	})
}
