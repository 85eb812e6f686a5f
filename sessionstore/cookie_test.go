package sessionstore_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
)

func TestPermanence(t *testing.T) {
	for name, c := range map[string]struct {
		byDefault bool
		begin     []part
		want      bool
	}{
		"off":            {false, nil, false},
		"on":             {true, nil, true},
		"off, asked on":  {false, []part{permanent(true)}, true},
		"on, asked off":  {true, []part{permanent(false)}, false},
		"off, asked off": {false, []part{permanent(false)}, false},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, sessionstore.Options{Permanent: c.byDefault, AbsoluteTimeout: 48 * time.Hour}, func(t *testing.T, r *rig) {
				end := time.Now().Add(48 * time.Hour)
				out := r.do(&sessionstore.Session{Scope: here}, append(c.begin, update(`{"a":1}`))...)
				if out.Permanent != c.want || !out.CookieEnd.Equal(end) {
					t.Errorf("began %+v", out)
				}
				id := out.ID
				if s := r.exists(id); s.Permanent() != c.want || !s.AbsoluteEnd().Equal(end) {
					t.Errorf("permanent %t, ends %v", s.Permanent(), s.AbsoluteEnd())
				}
				time.Sleep(time.Hour)

				// As it is: nothing to save, nothing to set.
				r.outcome(r.do(r.exists(id), permanent(c.want)), sessionstore.Unchanged, sessionstore.CookieKept)
				r.outcome(r.do(r.exists(id), update(`{"b":1}`), permanent(c.want)), sessionstore.Saved, sessionstore.CookieKept)

				// The other way: the same id, in another cookie that lives no longer.
				out = r.do(r.exists(id), permanent(!c.want))
				r.outcome(out, sessionstore.Saved, sessionstore.CookieSet)
				if out.ID != id || out.Permanent == c.want || !out.CookieEnd.Equal(end) {
					t.Errorf("changed %+v", out)
				}

				// It stays that way, whatever the default is.
				out = r.do(r.exists(id), regenerate)
				if out.Permanent == c.want || !out.CookieEnd.Equal(end) || r.exists(out.ID).Permanent() == c.want {
					t.Errorf("regenerated %+v", out)
				}
				out = r.do(r.exists(out.ID), regenerate, permanent(c.want))
				if out.Permanent != c.want || r.exists(out.ID).Permanent() != c.want {
					t.Errorf("regenerated and changed %+v", out)
				}
			})
		})
	}
}

func TestWhoeverChangesThePermanenceSetsTheCookie(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, sessionstore.Options{})
		id := r.begin(update(`{"a":1}`))
		s := r.exists(id)
		r.store.before(set, 1, slow(time.Millisecond))
		first := r.start(t.Context(), s, update(`{"b":1}`))
		on := r.start(t.Context(), s, permanent(true))
		onToo := r.start(t.Context(), s, permanent(true))
		between := r.start(t.Context(), s, update(`{"c":1}`))
		off := r.start(t.Context(), s, permanent(false))
		r.outcome((<-first).out, sessionstore.Saved, sessionstore.CookieKept)
		r.outcome((<-on).out, sessionstore.Saved, sessionstore.CookieSet)
		r.outcome((<-onToo).out, sessionstore.Unchanged, sessionstore.CookieKept)
		r.outcome((<-between).out, sessionstore.Saved, sessionstore.CookieKept)
		r.outcome((<-off).out, sessionstore.Saved, sessionstore.CookieSet)
	})
}

func TestAFormerIDGetsNoCookieOfAnotherPermanence(t *testing.T) {
	r := newRig(t, sessionstore.Options{})
	first := r.begin(update(`{"a":1}`))
	under := r.exists(first)
	second := r.do(r.exists(first), regenerate).ID
	r.outcome(r.do(under, permanent(true)), sessionstore.Saved, sessionstore.CookieKept)
	r.outcome(r.do(r.exists(first), permanent(true)), sessionstore.Saved, sessionstore.CookieKept)
	if !r.exists(second).Permanent() {
		t.Error("not saved")
	}
}

// TestWithoutACookie: where the client cannot be told of a change of its cookie, such a change is
// refused.
func TestWithoutACookie(t *testing.T) {
	needs := sessionstore.ErrNeedsCookie
	for name, c := range map[string]struct {
		parts  []part
		result sessionstore.Result
		err    error
	}{
		"change":               {[]part{update(`{"a":2}`)}, sessionstore.Saved, nil},
		"flash":                {[]part{flash(`"x"`)}, sessionstore.Saved, nil},
		"flash seen":           {[]part{seen}, sessionstore.Saved, nil},
		"idle timeout":         {[]part{idle(time.Hour)}, sessionstore.Saved, nil},
		"permanent as it is":   {[]part{permanent(false)}, sessionstore.Unchanged, nil},
		"login as it is":       {[]part{update(`{"user":0}`)}, sessionstore.Unchanged, nil},
		"nothing":              {[]part{update(`{}`)}, sessionstore.Unchanged, nil},
		"regenerate":           {[]part{regenerate}, 0, needs},
		"with a change":        {[]part{regenerate, update(`{"a":2}`)}, 0, needs},
		"login":                {[]part{update(`{"user":1}`)}, 0, needs},
		"permanent":            {[]part{permanent(true)}, 0, needs},
		"emptied":              {[]part{update(`{"a":null,"user":null}`), seen}, 0, needs},
		"destroy":              {[]part{destroy}, 0, needs},
		"destroy and begin":    {[]part{destroy, update(`{"a":2}`)}, 0, needs},
		"invalid all the same": {[]part{update(`[{"op":"remove","path":"/x"}]`)}, 0, sessionstore.ErrInvalid},
	} {
		r := newRig(t, sessionstore.Options{RegenerateOn: paths("user")})
		id := r.begin(update(`{"a":1,"user":0}`), flash(`"hello"`))
		before := r.entry(id)
		s := r.exists(id)
		s.NoCookie = true
		byRef, err := r.LoadRef(t.Context(), sessionstore.Ref(id), here)
		if err != nil {
			t.Fatal(err)
		}
		if c.err == nil {
			r.outcome(r.do(s, c.parts...), c.result, sessionstore.CookieKept)
			r.do(byRef, c.parts...)
			continue
		}
		r.refuse(c.err, s, c.parts...)
		r.refuse(c.err, byRef, c.parts...)
		if after := r.entry(id); string(after.Value) != string(before.Value) || len(r.records()) != 1 {
			t.Errorf("%s: something has changed", name)
		}
	}
}

func TestNobodyWithoutACookieBeginsASession(t *testing.T) {
	r := newRig(t, sessionstore.Options{})
	s := &sessionstore.Session{Scope: here, NoCookie: true}
	for _, parts := range [][]part{
		{update(`{"a":1}`)}, {flash(`"x"`)}, {destroy, update(`{"a":1}`)}, {update(`{"a":1}`), regenerate},
	} {
		r.refuse(sessionstore.ErrNeedsCookie, s, parts...)
	}
	for _, parts := range [][]part{{}, {update(`{}`)}, {regenerate}, {seen}, {permanent(true)}} {
		r.outcome(r.do(s, parts...), sessionstore.Unchanged, sessionstore.CookieKept)
	}
	if n := len(r.records()); n != 0 {
		t.Errorf("%d records", n)
	}
}

func TestNobodyWithoutACookieFillsAnEmptiedSession(t *testing.T) {
	r := newRig(t, sessionstore.Options{})
	id := r.begin(update(`{"a":1}`))
	s := r.exists(id)
	s.NoCookie = true
	r.do(r.exists(id), update(`{"a":null}`))
	r.refuse(sessionstore.ErrNeedsCookie, s, update(`{"b":1}`))
	r.gone(id)
}
