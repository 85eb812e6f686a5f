package sessionstore_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/caddy-session/caddy-session/sessionstore"
)

func TestAChangeToNobodyBeginsASession(t *testing.T) {
	for name, c := range map[string]struct {
		parts []part
		data  string
		flash string
	}{
		"update":        {[]part{update(`{"a":1}`)}, `{"a":1}`, ""},
		"JSON Patch":    {[]part{update(`[{"op":"increment","path":"/n","value":1}]`)}, `{"n":1}`, ""},
		"flash":         {[]part{flash(`"x"`)}, "{}", `[["message","x"]]`},
		"all at once":   {[]part{update(`{"a":1}`), regenerate, seen, flash(`["c","x"]`), destroy}, `{"a":1}`, `[["c","x"]]`},
		"several edits": {[]part{update(`{"a":1}`), update(`{"a":null,"b":2}`)}, `{"b":2}`, ""},
	} {
		r := newRig(t, sessionstore.Options{})
		s := r.exists(r.begin(c.parts...))
		if s.Data() != c.data || s.Flash() != c.flash {
			t.Errorf("%s: %s, %s", name, s.Data(), s.Flash())
		}
		if n := len(r.records()); n != 1 {
			t.Errorf("%s: %d records", name, n)
		}
	}
}

func TestWhatChangesNothingBeginsNothing(t *testing.T) {
	for name, parts := range map[string][]part{
		"nothing":      {},
		"empty update": {update(`{}`)},
		"removal":      {update(`{"a":null}`)},
		"there and back": {
			update(`{"a":1}`), update(`[{"op":"remove","path":"/a"}]`),
		},
		"empty patch":  {update(`[]`)},
		"test":         {update(`[{"op":"test","path":"","value":{}}]`)},
		"regenerate":   {regenerate},
		"permanent":    {permanent(true)},
		"idle timeout": {idle(1e12)},
		"flash seen":   {seen},
		"all of those": {regenerate, permanent(false), idle(1e12), seen, update(`{}`)},
	} {
		r := newRig(t, sessionstore.Options{})
		r.outcome(r.do(&sessionstore.Session{Scope: here}, parts...), sessionstore.Unchanged, sessionstore.CookieKept)
		if n := len(r.records()); n != 0 {
			t.Errorf("%s: %d records", name, n)
		}
		out := r.do(&sessionstore.Session{Scope: here}, append(parts, destroy)...)
		r.outcome(out, sessionstore.Unchanged, sessionstore.CookieExpired)
		if n := r.store.count(set) + r.store.count(del) + r.store.count(touch); n != 0 {
			t.Errorf("%s: %d writes", name, n)
		}
	}
}

func TestWhatChangesNothingIsNotSaved(t *testing.T) {
	for name, parts := range map[string][]part{
		"nothing":         {},
		"the same value":  {update(`{"a":1}`)},
		"removal of none": {update(`{"z":null}`)},
		"there and back":  {update(`{"z":1}`), update(`{"z":null}`)},
		"passing test":    {update(`[{"op":"test","path":"/a","value":1}]`)},
		"no such flash":   {seenOf("other")},
		"no categories":   {seenOf()},
		"permanent as is": {permanent(false)},
		"the default":     {idle(0)},
	} {
		r := newRig(t, sessionstore.Options{})
		id := r.begin(update(`{"a":1}`), flash(`"x"`))
		before := r.entry(id)
		r.store.heal()
		out := r.do(r.exists(id), parts...)
		r.outcome(out, sessionstore.Unchanged, sessionstore.CookieKept)
		if out.Ref != sessionstore.Ref(id) || out.Conflicts != 0 {
			t.Errorf("%s: ref %q, %d conflicts with nobody", name, out.Ref, out.Conflicts)
		}
		if after := r.entry(id); string(after.Value) != string(before.Value) {
			t.Errorf("%s: the record has another version", name)
		}
		if n := r.store.count(set); n != 0 {
			t.Errorf("%s: %d writes", name, n)
		}
	}
}

func TestAChangeIsMadeToWhatIsThereNow(t *testing.T) {
	r := newRig(t, sessionstore.Options{})
	other := r.another(sessionstore.Options{})
	id := r.begin(update(`{"n":1,"gone":1}`))
	s := r.exists(id)
	other.do(other.exists(id), update(`{"theirs":1,"gone":null}`), update(`[{"op":"increment","path":"/n","value":10}]`))
	out := r.do(s, update(`[{"op":"increment","path":"/n","value":100},{"op":"add","path":"/ours","value":1}]`))
	r.outcome(out, sessionstore.Saved, sessionstore.CookieKept)
	if out.Conflicts != 1 {
		t.Errorf("%d conflicts", out.Conflicts)
	}
	r.want(id, `{"n":111,"theirs":1,"ours":1}`)
}

// TestConflictAfterConflict has others save between every two of our attempts.
func TestConflictAfterConflict(t *testing.T) {
	const rounds = 50
	r := newRig(t, sessionstore.Options{StoreTimeout: 1e12})
	other := r.another(sessionstore.Options{})
	id := r.begin(update(`{"n":0}`))
	s := r.exists(id)
	for i := range rounds {
		r.store.before(set, i+1, then(func() {
			other.do(other.exists(id), update(`[{"op":"increment","path":"/n","value":1}]`))
		}))
	}
	out := r.do(s, update(`[{"op":"increment","path":"/n","value":1000}]`))
	if out.Conflicts != rounds {
		t.Errorf("%d conflicts", out.Conflicts)
	}
	r.want(id, `{"n":1050}`)
}

// TestAChangeThatNoLongerFits: what was valid for the data that were loaded need not be for those
// that are there.
func TestAChangeThatNoLongerFits(t *testing.T) {
	r := newRig(t, sessionstore.Options{})
	other := r.another(sessionstore.Options{})
	id := r.begin(update(`{"stock":1}`))
	buy := update(`[{"op":"test","path":"/stock","value":1},{"op":"replace","path":"/stock","value":0}]`)
	s := r.exists(id)
	other.do(other.exists(id), buy)
	r.refuse(sessionstore.ErrInvalid, s, buy, update(`{"sold":true}`), flash(`"sold"`))
	r.want(id, `{"stock":0}`)
}

// TestAVerdictIsOnWhatTheRequestHasSeenOrLater: a queue remembers what it left in the store.
// Somebody else may have saved since, and a request have loaded that. What is decided without a
// save must not be decided on something older.
func TestAVerdictIsOnWhatTheRequestHasSeenOrLater(t *testing.T) {
	for name, c := range map[string]struct {
		theirs, ours, after string
	}{
		"setting back":       {`{"a":2}`, `{"a":1}`, `{"a":1,"q":1}`},
		"logging out":        {`{"user":"u"}`, `{"user":null}`, `{"a":1,"q":1}`},
		"removing the new":   {`{"x":1}`, `[{"op":"remove","path":"/x"}]`, `{"a":1,"q":1}`},
		"testing the new":    {`{"a":2}`, `[{"op":"test","path":"/a","value":2},{"op":"add","path":"/b","value":1}]`, `{"a":2,"q":1,"b":1}`},
		"shrinking, growing": {`{"a":null}`, `[{"op":"add","path":"/a","value":1}]`, `{"q":1,"a":1}`},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
				other := r.another(sessionstore.Options{})
				id := r.begin(update(`{"a":1}`))
				done := make(chan sessionstore.Outcome, 1)
				r.store.after(set, 1, then(func() {
					other.do(other.exists(id), update(c.theirs))
					s := r.exists(id)
					go func() { done <- r.do(s, update(c.ours)) }()
					synctest.Wait()
				}))
				r.do(r.exists(id), update(`{"q":1}`))
				r.outcome(<-done, sessionstore.Saved, sessionstore.CookieKept)
				r.want(id, c.after)
			})
		})
	}
}

// TestNoVerdictOutlivesTheDataItWasMadeOn: a batch that meets a conflict is looked at again as a
// whole, also when the session has gone elsewhere or has ended.
func TestNoVerdictOutlivesTheDataItWasMadeOn(t *testing.T) {
	for name, c := range map[string]struct {
		meanwhile part
		result    sessionstore.Result
	}{
		"regenerated": {regenerate, sessionstore.Saved},
		"destroyed":   {destroy, sessionstore.Dropped},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
				other := r.another(sessionstore.Options{})
				id := r.begin(update(`{"a":1}`))
				type answer struct {
					out sessionstore.Outcome
					err error
				}
				fitting, unfit := make(chan answer, 1), make(chan answer, 1)
				commit := func(to chan answer, p part) {
					s := r.exists(id)
					go func() {
						out, err := r.try(s, p)
						to <- answer{out, err}
					}()
					synctest.Wait()
				}
				var newID string
				r.store.after(set, 1, then(func() {
					commit(fitting, update(`{"b":1}`))
					commit(unfit, update(`[{"op":"test","path":"/a","value":2},{"op":"add","path":"/c","value":1}]`))
				}))
				r.store.before(set, 2, then(func() {
					other.do(other.exists(id), update(`{"a":2}`))
					newID = other.do(other.exists(id), c.meanwhile).ID
				}))
				r.do(r.exists(id), update(`{"q":1}`))
				for name, to := range map[string]chan answer{"fitting": fitting, "unfit": unfit} {
					if a := <-to; a.err != nil || a.out.Result != c.result {
						t.Errorf("%s: %+v, %v", name, a.out, a.err)
					}
				}
				if newID != "" {
					// Nothing says which of the two comes to the new record first.
					r.want(newID, `{"a":2,"q":1,"b":1,"c":1}`, `{"a":2,"q":1,"c":1,"b":1}`)
				}
			})
		})
	}
}

func TestTwoManagersLoseNoUpdate(t *testing.T) {
	const clients, rounds = 8, 40
	r := newRig(t, sessionstore.Options{StoreTimeout: 1e12})
	managers := []*rig{r, r.another(sessionstore.Options{StoreTimeout: 1e12})}
	id := r.begin(update(`{"n":0}`))
	done := make(chan bool)
	for i := range clients {
		go func() {
			m := managers[i%2]
			for range rounds {
				m.do(m.load(id), update(`[{"op":"increment","path":"/n","value":1}]`))
			}
			done <- true
		}()
	}
	for range clients {
		<-done
	}
	r.want(id, `{"n":320}`)
}

func TestAClientThatVanishes(t *testing.T) {
	r := newRig(t, sessionstore.Options{})
	id := r.begin(update(`{"a":1}`))
	s := r.exists(id)
	ctx, cancel := context.WithCancel(t.Context())
	r.store.before(set, 1, then(cancel))
	out, err := r.Commit(ctx, s, change(update(`{"a":2}`)))
	if err != nil || out.Result != sessionstore.Saved {
		t.Errorf("gone while it was saved: %+v, %v", out, err)
	}
	r.want(id, `{"a":2}`)
	if _, err := r.Commit(ctx, r.exists(id), change(update(`{"a":3}`))); err == nil {
		t.Error("gone before: no error")
	}
	r.want(id, `{"a":2}`)
}

func TestADocumentIsAnObjectInTheEnd(t *testing.T) {
	r := newRig(t, sessionstore.Options{})
	id := r.begin(update(`{"a":1}`))
	for _, text := range []string{`[]`, `"x"`, `1`, `null`, `true`} {
		patch := `[{"op":"replace","path":"","value":` + text + `}]`
		r.refuse(sessionstore.ErrInvalid, r.exists(id), update(patch))
		r.refuse(sessionstore.ErrInvalid, &sessionstore.Session{Scope: here}, update(patch))
	}
	// In between it may be something else.
	r.do(r.exists(id), update(`[{"op":"replace","path":"","value":5},{"op":"increment","path":"","value":1},{"op":"replace","path":"","value":{"b":1}}]`))
	r.want(id, `{"b":1}`)
}
