package sessionstore_test

import (
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
)

func TestAChangeThatLeavesNothingEndsTheSession(t *testing.T) {
	for name, c := range map[string]struct {
		begin, end []part
	}{
		"data removed":         {[]part{update(`{"a":1}`)}, []part{update(`{"a":null}`)}},
		"document replaced":    {[]part{update(`{"a":1}`)}, []part{update(`[{"op":"replace","path":"","value":{}}]`)}},
		"messages seen":        {[]part{flash(`"x"`)}, []part{seen}},
		"both":                 {[]part{update(`{"a":1}`), flash(`"x"`)}, []part{update(`{"a":null}`), seen}},
		"regenerate beside it": {[]part{update(`{"a":1}`)}, []part{update(`{"a":null}`), regenerate}},
		"permanent beside it":  {[]part{update(`{"a":1}`)}, []part{update(`{"a":null}`), permanent(true), idle(time.Hour)}},
	} {
		r := newRig(t, sessionstore.Options{RegenerateOn: paths("a")})
		id := r.begin(c.begin...)
		out := r.do(r.exists(id), c.end...)
		r.outcome(out, sessionstore.Saved, sessionstore.CookieExpired)
		if out.Ref != "" {
			t.Errorf("%s: there is no session, but its ref is %s", name, out.Ref)
		}
		r.gone(id)
		if n, ended := len(r.records()), r.count(sessionstore.Ended); n != 1 || ended != 1 {
			t.Errorf("%s: %d records, %d of them ended", name, n, ended)
		}
	}
}

func TestSomethingLeftIsASession(t *testing.T) {
	r := newRig(t, sessionstore.Options{})
	id := r.begin(update(`{"a":1}`))
	r.outcome(r.do(r.exists(id), update(`{"a":null}`), flash(`"goodbye"`)), sessionstore.Saved, sessionstore.CookieKept)
	if s := r.exists(id); s.Data() != "{}" || s.Flash() != `[["message","goodbye"]]` {
		t.Errorf("%s, %s", s.Data(), s.Flash())
	}
	r.outcome(r.do(r.exists(id), seen, update(`{"b":{}}`)), sessionstore.Saved, sessionstore.CookieKept)
	r.want(id, `{"b":{}}`)
}

func TestARequestUnderWayFillsAnEmptiedSession(t *testing.T) {
	for name, c := range map[string]struct {
		parts  []part
		data   string
		cookie sessionstore.Cookie
		result sessionstore.Result
	}{
		"data":         {[]part{update(`{"b":1}`)}, `{"b":1}`, sessionstore.CookieSet, sessionstore.Saved},
		"flash":        {[]part{flash(`"x"`)}, `{}`, sessionstore.CookieSet, sessionstore.Saved},
		"permanent":    {[]part{update(`{"b":1}`), permanent(true)}, `{"b":1}`, sessionstore.CookieSet, sessionstore.Saved},
		"nothing":      {[]part{update(`{"b":null}`)}, "", sessionstore.CookieKept, sessionstore.Unchanged},
		"regenerate":   {[]part{regenerate}, "", sessionstore.CookieKept, sessionstore.Unchanged},
		"flash seen":   {[]part{seen}, "", sessionstore.CookieKept, sessionstore.Unchanged},
		"emptying too": {[]part{update(`{"a":null}`), seen}, "", sessionstore.CookieKept, sessionstore.Unchanged},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
				id := r.begin(update(`{"a":1}`))
				s := r.exists(id)
				r.do(r.exists(id), update(`{"a":null}`))
				time.Sleep(sessionstore.DefaultRegenerateGrace - 1)
				out := r.do(s, c.parts...)
				r.outcome(out, c.result, c.cookie)
				if c.data == "" {
					r.gone(id)
					return
				}
				if out.ID != id || out.Ref != sessionstore.Ref(id) || out.Permanent != (name == "permanent") || !out.CookieEnd.Equal(s.AbsoluteEnd()) {
					t.Errorf("%+v", out)
				}
				r.want(id, c.data)
				time.Sleep(time.Hour) // it lives as long as any
				r.want(id, c.data)
			})
		})
	}
}

// TestAnEmptiedSessionHasNoCookie to be set or expired again, whatever is said of one.
func TestAnEmptiedSessionHasNoCookie(t *testing.T) {
	r := newRig(t, sessionstore.Options{})
	id := r.begin(update(`{"a":1}`))
	s := r.exists(id)
	r.do(r.exists(id), update(`{"a":null}`))
	for name, p := range map[string]part{"permanent": permanent(true), "idle timeout": idle(time.Hour)} {
		if out := r.do(s, p); out.Cookie != sessionstore.CookieKept {
			t.Errorf("%s: %+v", name, out)
		}
	}
	r.gone(id)
}

func TestARefillMayRegenerate(t *testing.T) {
	r := newRig(t, sessionstore.Options{RegenerateOn: paths("user")})
	for name, parts := range map[string][]part{
		"asked for":  {update(`{"b":1}`), regenerate},
		"by a login": {update(`{"user":1}`)},
	} {
		id := r.begin(update(`{"a":1}`))
		s := r.exists(id)
		r.do(r.exists(id), update(`{"a":null}`))
		out := r.do(s, parts...)
		r.outcome(out, sessionstore.Saved, sessionstore.CookieSet)
		if out.ID == id || r.exists(out.ID).Former() {
			t.Errorf("%s: no new id", name)
		}
		if s := r.load(id); s.Data() != "{}" {
			t.Errorf("%s: the old id sees %s", name, s.Data())
		}
	}
}

func TestAnEmptiedSessionIsGoneAfterTheGrace(t *testing.T) {
	bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
		id := r.begin(update(`{"a":1}`))
		s := r.exists(id)
		r.do(r.exists(id), update(`{"a":null}`))
		if err := r.Touch(t.Context(), s); err != nil {
			t.Error(err)
		}
		if err := r.Refresh(t.Context(), s); err != nil {
			t.Error(err)
		}
		time.Sleep(sessionstore.DefaultRegenerateGrace)
		r.outcome(r.do(s, update(`{"b":1}`)), sessionstore.Dropped, sessionstore.CookieKept)
		r.gone(id)
		if n := len(r.records()); n != 0 {
			t.Errorf("%d records", n)
		}
	})
}

// TestANewRequestDoesNotFillAnEmptiedSession: for everybody who did not know it before, it is not
// there.
func TestANewRequestDoesNotFillAnEmptiedSession(t *testing.T) {
	r := newRig(t, sessionstore.Options{})
	id := r.begin(update(`{"a":1}`))
	r.do(r.exists(id), update(`{"a":null}`))
	out := r.do(r.load(id), update(`{"b":1}`))
	r.outcome(out, sessionstore.Saved, sessionstore.CookieSet)
	if out.ID == id {
		t.Error("the id of an ended session was given again")
	}
	r.gone(id)
}

func TestAFormerIDDoesNotFillAnEmptiedSession(t *testing.T) {
	r := newRig(t, sessionstore.Options{})
	first := r.begin(update(`{"a":1}`))
	under := r.exists(first)
	second := r.do(r.exists(first), regenerate).ID
	later, holder := r.exists(first), r.exists(second)
	r.do(r.exists(second), update(`{"a":null}`))
	for _, s := range []*sessionstore.Session{under, later} {
		r.outcome(r.do(s, update(`{"b":1}`)), sessionstore.Dropped, sessionstore.CookieKept)
	}
	r.gone(second)
	// Who has the id may.
	r.outcome(r.do(holder, update(`{"c":1}`)), sessionstore.Saved, sessionstore.CookieSet)
	r.want(second, `{"c":1}`)
	r.outcome(r.do(under, update(`{"d":1}`)), sessionstore.Saved, sessionstore.CookieKept)
	r.outcome(r.do(later, update(`{"e":1}`)), sessionstore.Dropped, sessionstore.CookieKept)
	r.want(second, `{"c":1,"d":1}`)
}

// TestEmptyingAMarkedSession expires no cookie: that would take the new one. Nor does filling it
// again set one.
func TestEmptyingAMarkedSession(t *testing.T) {
	for name, underWay := range map[string]bool{"under way": true, "later": false} {
		r := newRig(t, sessionstore.Options{})
		first := r.begin(update(`{"a":1}`))
		s := r.exists(first)
		second := r.do(r.exists(first), regenerate).ID
		if !underWay {
			s = r.exists(first)
		}
		r.outcome(r.do(s, update(`{"a":null}`)), sessionstore.Saved, sessionstore.CookieKept)
		r.gone(first)
		if underWay {
			r.gone(second)
			continue
		}
		r.outcome(r.do(s, update(`{"b":1}`), permanent(true)), sessionstore.Saved, sessionstore.CookieKept)
		r.want(first, `{"b":1}`)
		r.want(second, `{"a":1}`)
		if t.Failed() {
			t.Fatal(name)
		}
	}
}

// TestALogoutByEmptyingUnderWayEndsTheOldID: the answer to the login was lost, so that the browser
// has the old id only. It is over even where the successor has more. A change that would leave
// something of the old record does nothing to it.
func TestALogoutByEmptyingUnderWayEndsTheOldID(t *testing.T) {
	for name, c := range map[string]struct {
		login   string
		logout  []part
		old, is string // what the old id and the successor have then
	}{
		"all":                        {`{"a":2}`, []part{update(`{"a":null,"user":null}`)}, "", ""},
		"the document replaced":      {`{"a":2,"b":1}`, []part{update(`[{"op":"replace","path":"","value":{}}]`)}, "", ""},
		"the login has brought more": {`{"b":1}`, []part{update(`{"a":null,"user":null}`)}, "", `{"b":1}`},
		"not all":                    {`{"b":1}`, []part{update(`{"a":null}`)}, `{"a":1,"user":"u"}`, `{"user":"u","b":1}`},
		"not all of the old":         {`{"a":null}`, []part{update(`{"user":null}`)}, `{"a":1,"user":"u"}`, ""},
		"what fits the successor":    {`{"b":1}`, []part{update(`[{"op":"remove","path":"/b"}]`)}, `{"a":1,"user":"u"}`, `{"a":1,"user":"u"}`},
	} {
		t.Run(name, func(t *testing.T) {
			one, two := twoProxies(t, sessionstore.Options{})
			first := one.begin(update(`{"a":1,"user":"u"}`))
			under := two.exists(first)
			second := one.do(one.exists(first), update(c.login), regenerate).ID
			two.outcome(two.do(under, c.logout...), sessionstore.Saved, sessionstore.CookieKept)
			for id, data := range map[string]string{first: c.old, second: c.is} {
				// Loaded by the new id, the old one would end.
				rec := one.records()[sessionstore.Ref(id)]
				if live := rec.State == sessionstore.Live; live != (data != "") || live && string(rec.Data) != data {
					t.Errorf("%v, %s, want %s", rec.State, rec.Data, data)
				}
			}
		})
	}
	// The old one is emptied first. Killed before it empties the new one, the proxy leaves nobody
	// logged in by the old id.
	one, two := twoProxies(t, sessionstore.Options{})
	first := one.begin(update(`{"a":1}`))
	under := two.exists(first)
	second := one.do(one.exists(first), regenerate).ID
	two.store.before(set, 3, lose)
	if _, err := two.Commit(t.Context(), under, change(update(`{"a":null}`))); err == nil {
		t.Error("the third write is not that of the new record")
	}
	one.gone(first)
	one.want(second, `{"a":1}`)
}

// TestALoginUnderWayGoesOnAfterALogoutByEmptying: a mark would drop it.
func TestALoginUnderWayGoesOnAfterALogoutByEmptying(t *testing.T) {
	one, two := twoProxies(t, sessionstore.Options{RegenerateOn: paths("user")})
	first := one.begin(flash(`"x"`))
	shown, login := two.exists(first), two.exists(first)
	one.do(one.exists(first), update(`{"user":1}`))
	two.do(shown, seen)
	out := two.do(login, update(`{"user":1}`))
	two.outcome(out, sessionstore.Saved, sessionstore.CookieSet)
	two.want(out.ID, `{"user":1}`)
}

// TestEmptiedAndFilledInOneBatch: each response says to the client what its own change came to.
func TestEmptiedAndFilledInOneBatch(t *testing.T) {
	bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
		id := r.begin(update(`{"a":1}`))
		s := r.exists(id)
		r.store.before(set, 1, slow(time.Millisecond))
		first := r.start(t.Context(), s, update(`{"b":1}`))
		empty := r.start(t.Context(), s, update(`{"a":null,"b":null}`))
		fill := r.start(t.Context(), s, update(`{"c":1}`))
		more := r.start(t.Context(), s, update(`{"d":1}`))
		r.outcome((<-first).out, sessionstore.Saved, sessionstore.CookieKept)
		r.outcome((<-empty).out, sessionstore.Saved, sessionstore.CookieExpired)
		a := <-fill
		r.outcome(a.out, sessionstore.Saved, sessionstore.CookieSet)
		if a.out.ID != id {
			t.Errorf("id %q", a.out.ID)
		}
		r.outcome((<-more).out, sessionstore.Saved, sessionstore.CookieKept)
		r.want(id, `{"c":1,"d":1}`)
	})
}

func TestAnEmptiedSessionCanBeDestroyed(t *testing.T) {
	r := newRig(t, sessionstore.Options{})
	id := r.begin(update(`{"a":1}`))
	s := r.exists(id)
	r.do(r.exists(id), update(`{"a":null}`))
	r.outcome(r.do(s, destroy), sessionstore.Saved, sessionstore.CookieExpired)
	r.outcome(r.do(s, update(`{"b":1}`)), sessionstore.Dropped, sessionstore.CookieKept)
	if n := len(r.records()); n != 0 {
		t.Errorf("%d records", n)
	}
}
