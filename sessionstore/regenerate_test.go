package sessionstore_test

import (
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
)

func TestRegenerateGivesANewIDToTheSameSession(t *testing.T) {
	bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
		id := r.begin(update(`{"a":1}`), flash(`"x"`), permanent(true), idle(2*time.Hour))
		before := r.exists(id)
		time.Sleep(time.Hour)
		out := r.do(r.exists(id), regenerate)
		r.outcome(out, sessionstore.Saved, sessionstore.CookieSet)
		if out.ID == id || !sessionstore.ValidID(out.ID) || out.Ref != sessionstore.Ref(out.ID) || !out.Permanent || !out.CookieEnd.Equal(before.AbsoluteEnd()) {
			t.Errorf("%+v", out)
		}
		s := r.exists(out.ID)
		if s.Data() != `{"a":1}` || s.Flash() != `[["message","x"]]` || !s.Permanent() || s.Former() || !s.Created().Equal(before.Created()) {
			t.Errorf("%+v", s)
		}
		if want := time.Now().Add(2 * time.Hour); !s.Expires().Equal(want) {
			t.Errorf("expires %v, want %v", s.Expires(), want)
		}
		if n := len(r.records()); n != 2 {
			t.Errorf("%d records", n)
		}
	})
}

// TestAPlantedIDDoesNotSeeTheLogin is session fixation: the attacker has made the victim use an id
// that the attacker knows. Nothing that comes by it later reaches the login, neither data nor end.
func TestAPlantedIDDoesNotSeeTheLogin(t *testing.T) {
	for name, o := range map[string]sessionstore.Options{
		"regenerate asked for":  {},
		"by a field's change":   {RegenerateOn: paths("user")},
		"by a field far inside": {RegenerateOn: paths("other", "user.name.first")},
	} {
		bubble(t, o, func(t *testing.T, r *rig) {
			planted := r.begin(update(`{"cart":[1]}`), flash(`"hello"`))
			parts := []part{update(`{"user":{"name":{"first":"victim"}},"cart":null}`), flash(`"welcome"`), seen}
			if o.RegenerateOn == nil {
				parts = append(parts, regenerate)
			}
			victim := r.do(r.exists(planted), parts...)
			r.outcome(victim, sessionstore.Saved, sessionstore.CookieSet)
			theirs := r.exists(planted)
			if theirs.Data() != `{"cart":[1]}` || theirs.Flash() != `[["message","hello"]]` || !theirs.Former() {
				t.Errorf("%s: %s, %s", name, theirs.Data(), theirs.Flash())
			}
			r.outcome(r.do(theirs, update(`{"theirs":1}`), permanent(true), flash(`"spam"`)), sessionstore.Saved, sessionstore.CookieKept)
			login := r.do(r.exists(planted), update(`{"user":{"name":{"first":"attacker"}}}`), regenerate)
			r.outcome(login, sessionstore.Saved, sessionstore.CookieSet)
			r.outcome(r.do(r.exists(planted), destroy), sessionstore.Saved, sessionstore.CookieExpired)
			r.gone(planted)
			if s := r.exists(victim.ID); s.Data() != `{"user":{"name":{"first":"victim"}}}` || s.Flash() != `[["message","welcome"]]` {
				t.Error(s.Data(), s.Flash())
			}
			r.want(login.ID, `{"cart":[1],"theirs":1,"user":{"name":{"first":"attacker"}}}`)
			// It had been loaded before their own login.
			r.outcome(r.do(theirs, update(`{"late":1}`)), sessionstore.Saved, sessionstore.CookieKept)
			r.want(login.ID, `{"cart":[1],"theirs":1,"user":{"name":{"first":"attacker"}},"late":1}`)
			r.want(victim.ID, `{"user":{"name":{"first":"victim"}}}`)
		})
	}
}

func TestWhichChangesRegenerate(t *testing.T) {
	r := newRig(t, sessionstore.Options{RegenerateOn: paths("user", "roles.0", "auth.level")})
	const data = `{"user":1,"roles":["a","b"],"auth":{"level":1,"at":1},"n":1}`
	for name, c := range map[string]struct {
		text string
		does bool
	}{
		"another field":           {`{"n":2}`, false},
		"a neighbour":             {`{"auth":{"at":2}}`, false},
		"another item":            {`[{"op":"replace","path":"/roles/1","value":"c"}]`, false},
		"the same value":          {`{"user":1}`, false},
		"the same number":         {`{"user":1.0}`, false},
		"changed and back":        {`[{"op":"replace","path":"/user","value":2},{"op":"replace","path":"/user","value":1}]`, false},
		"the field":               {`{"user":2}`, true},
		"another type":            {`{"user":"1"}`, true},
		"removal":                 {`{"user":null}`, true},
		"inside":                  {`{"auth":{"level":2}}`, true},
		"removal of what is over": {`{"auth":null}`, true},
		"an item moves up":        {`[{"op":"remove","path":"/roles/0"}]`, true},
		"increment":               {`[{"op":"increment","path":"/user","value":1}]`, true},
		"everything":              {`[{"op":"replace","path":"","value":{"x":1}}]`, true},
		"a null":                  {`[{"op":"replace","path":"/user","value":null}]`, true},
	} {
		id := r.begin(update(data))
		out := r.do(r.exists(id), update(c.text))
		if does := out.Cookie == sessionstore.CookieSet && out.ID != id && r.load(id).Former(); does != c.does {
			t.Errorf("%s: regenerated %t", name, does)
		}
	}
	// What is not there yet counts as another value.
	id := r.begin(update(`{"n":1}`))
	if out := r.do(r.exists(id), update(`[{"op":"add","path":"/user","value":null}]`)); out.Cookie != sessionstore.CookieSet {
		t.Error("a field that comes as null")
	}
}

// TestTheNewRecordIsWrittenFirst: whenever the proxy is killed, there is a session.
func TestTheNewRecordIsWrittenFirst(t *testing.T) {
	r := newRig(t, sessionstore.Options{})
	id := r.begin(update(`{"a":1}`))
	s := r.exists(id)
	r.store.before(set, 2, then(func() {
		if n := r.count(sessionstore.Live); n != 2 {
			t.Errorf("%d records", n)
		}
		r.want(id, `{"a":1}`)
	}))
	r.do(s, regenerate)
	if n := r.count(sessionstore.Live); n != 2 || !r.exists(id).Former() {
		t.Errorf("%d sessions", n)
	}
}

// TestRequestsUnderWayCommitToTheNewRecord, but for those that call for a new id themselves: they
// get one.
func TestRequestsUnderWayCommitToTheNewRecord(t *testing.T) {
	o := sessionstore.Options{RegenerateOn: paths("user")}
	for name, elsewhere := range map[string]bool{"in this process": false, "in another": true} {
		for use, used := range map[string]bool{"unused": false, "used": true} {
			r := newRig(t, o)
			by := r
			if elsewhere {
				by = r.another(o)
			}
			id := r.begin(update(`{"a":1}`))
			s := by.exists(id)
			newID := r.do(r.exists(id), regenerate).ID
			if used {
				r.exists(newID)
			}
			for what, parts := range map[string][]part{
				"change":    {update(`{"b":1}`)},
				"permanent": {permanent(true), update(`{"d":1}`)},
			} {
				out := by.do(s, parts...)
				if out.Result != sessionstore.Saved || out.Cookie != sessionstore.CookieKept || out.ID != "" || !out.Former {
					t.Errorf("%s, %s, %s: %+v", name, use, what, out)
				}
			}
			if !used {
				r.outcome(by.do(s, regenerate, update(`{"c":1}`)), sessionstore.Saved, sessionstore.CookieSet)
				r.outcome(by.do(s, update(`{"user":1}`)), sessionstore.Saved, sessionstore.CookieSet)
				r.want(id, `{"a":1}`)
			} else {
				r.outcome(by.do(s, regenerate, update(`{"c":1}`)), sessionstore.Dropped, sessionstore.CookieKept)
				r.outcome(by.do(s, update(`{"user":1}`)), sessionstore.Dropped, sessionstore.CookieKept)
				r.gone(id)
			}
			r.want(newID, `{"a":1,"b":1,"d":1}`, `{"a":1,"d":1,"b":1}`)
			r.gone(id)
		}
	}
}

// TestRegeneratingOnWhatWasThereOnly: the change called for a new id on the data that were loaded,
// and does so no more on those that it is made to.
func TestRegeneratingOnWhatWasThereOnly(t *testing.T) {
	r := newRig(t, sessionstore.Options{RegenerateOn: paths("user")})
	other := r.another(sessionstore.Options{})
	id := r.begin(update(`{"a":1}`))
	s := r.exists(id)
	r.store.before(set, 2, then(func() { other.do(other.exists(id), update(`{"user":7}`)) }))
	r.outcome(r.do(s, update(`{"user":7,"b":1}`)), sessionstore.Saved, sessionstore.CookieKept)
	r.want(id, `{"a":1,"user":7,"b":1}`)
	if n := len(r.records()); n != 1 {
		t.Errorf("%d records", n)
	}
}

// TestRegeneratingAnInvalidChange: it becomes invalid between the new record and the mark.
func TestRegeneratingAnInvalidChange(t *testing.T) {
	r := newRig(t, sessionstore.Options{})
	other := r.another(sessionstore.Options{})
	id := r.begin(update(`{"a":1}`))
	s := r.exists(id)
	r.store.before(set, 2, then(func() { other.do(other.exists(id), update(`{"a":2}`)) }))
	r.refuse(sessionstore.ErrInvalid, s, regenerate, update(`[{"op":"test","path":"/a","value":1},{"op":"add","path":"/b","value":1}]`))
	r.want(id, `{"a":2}`)
	if n := len(r.records()); n != 1 || r.exists(id).Former() {
		t.Errorf("%d records", n)
	}
}

// TestASessionThatEndsWhileItIsRegenerated reaches its absolute timeout between the new record and
// the mark.
func TestASessionThatEndsWhileItIsRegenerated(t *testing.T) {
	bubble(t, sessionstore.Options{AbsoluteTimeout: time.Hour, StoreTimeout: time.Minute}, func(t *testing.T, r *rig) {
		other := r.another(sessionstore.Options{AbsoluteTimeout: time.Hour})
		id := r.begin(update(`{"a":1}`))
		time.Sleep(time.Hour - time.Second)
		s := r.exists(id)
		r.store.before(set, 2, then(func() {
			other.do(other.exists(id), update(`{"b":1}`))
			time.Sleep(time.Second)
		}))
		r.outcome(r.do(s, regenerate), sessionstore.Dropped, sessionstore.CookieKept)
		if n := len(r.records()); n != 1 {
			t.Errorf("%d records", n)
		}
	})
}
