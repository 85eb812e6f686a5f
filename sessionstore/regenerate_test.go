package sessionstore_test

import (
	"errors"
	"fmt"
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
// that the attacker knows.
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
			for range 10 {
				s := r.exists(planted)
				if s.Data() != `{"cart":[1]}` || s.Flash() != `[["message","hello"]]` || !s.Former() {
					t.Errorf("%s: %s, %s", name, s.Data(), s.Flash())
				}
				// It may change the session, but is told nothing and given nothing.
				out := r.do(s, update(`{"theirs":1}`), regenerate, permanent(true), flash(`"spam"`))
				r.outcome(out, out.Result, sessionstore.CookieKept)
				out = r.do(r.exists(planted), update(`{"user":{"name":{"first":"attacker"}}}`))
				r.outcome(out, out.Result, sessionstore.CookieKept)
				time.Sleep(time.Second)
			}
			r.gone(planted)
			s := r.exists(victim.ID)
			if s.Data() != `{"user":{"name":{"first":"attacker"}},"theirs":1}` {
				t.Error(s.Data())
			}
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
	if live, aliases := r.count(sessionstore.Live), r.count(sessionstore.Alias); live != 1 || aliases != 1 {
		t.Errorf("%d sessions, %d aliases", live, aliases)
	}
}

func TestRequestsUnderWayCommitToTheNewRecord(t *testing.T) {
	for name, managers := range map[string]int{"in this process": 0, "in another": 1} {
		r := newRig(t, sessionstore.Options{RegenerateOn: paths("user")})
		by := []*rig{r, r.another(sessionstore.Options{RegenerateOn: paths("user")})}[managers]
		id := r.begin(update(`{"a":1}`))
		s := by.exists(id)
		newID := r.do(r.exists(id), regenerate).ID
		for what, parts := range map[string][]part{
			"change":     {update(`{"b":1}`)},
			"regenerate": {regenerate, update(`{"c":1}`)},
			"login":      {update(`{"user":1}`)},
			"permanent":  {permanent(true), update(`{"d":1}`)},
		} {
			out := by.do(s, parts...)
			if out.Result != sessionstore.Saved || out.Cookie != sessionstore.CookieKept || out.ID != "" {
				t.Errorf("%s, %s: %+v", name, what, out)
			}
		}
		got := r.exists(newID)
		for _, key := range []string{"a", "b", "c", "d", "user"} {
			if _, ok := parse(got.Data()).Lookup(paths(key)[0]); !ok {
				t.Errorf("%s: %s is lost: %s", name, key, got.Data())
			}
		}
		if n := len(r.records()); n != 2 {
			t.Errorf("%s: %d records", name, n)
		}
		r.want(id, `{"a":1}`)
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

// TestRegeneratingAnInvalidChange: it becomes invalid between the new record and the alias.
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

// TestASessionThatEndsWhileItIsRegenerated reaches its absolute timeout between the new record and the alias.
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

func TestAliasesEndWithTheGrace(t *testing.T) {
	bubble(t, sessionstore.Options{RegenerateGrace: 30 * time.Second}, func(t *testing.T, r *rig) {
		id := r.begin(update(`{"a":1}`))
		newID := r.do(r.exists(id), regenerate).ID
		time.Sleep(30*time.Second - 1)
		s := r.exists(id)
		if !s.Former() || s.TouchDue() || s.Expires().Sub(time.Now()) != 1 {
			t.Errorf("former %t, due %t, expires in %v", s.Former(), s.TouchDue(), time.Until(s.Expires()))
		}
		// Nothing makes it longer.
		if err := r.Touch(t.Context(), s); err != nil {
			t.Error(err)
		}
		if err := r.Refresh(t.Context(), s); err != nil {
			t.Error(err)
		}
		r.do(s, update(`{"b":1}`))
		time.Sleep(1)
		r.gone(id)
		r.want(newID, `{"a":1,"b":1}`)
		// A request that had loaded it goes on to the new record all the same.
		r.outcome(r.do(s, update(`{"c":1}`)), sessionstore.Saved, sessionstore.CookieKept)
		r.want(newID, `{"a":1,"b":1,"c":1}`)
	})
}

// TestAnAliasEndsWithItsSession: at once, not only when the grace is over.
func TestAnAliasEndsWithItsSession(t *testing.T) {
	for name, end := range map[string]func(r *rig, id string){
		"destroyed": func(r *rig, id string) { r.do(r.exists(id), destroy) },
		"emptied":   func(r *rig, id string) { r.do(r.exists(id), update(`{"a":null}`)) },
		"idled out": func(r *rig, id string) {
			r.do(r.exists(id), idle(time.Second))
			time.Sleep(time.Second)
		},
		"destroyed elsewhere": func(r *rig, id string) {
			other := r.another(sessionstore.Options{})
			other.do(other.exists(id), destroy)
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
				first := r.begin(update(`{"a":1}`))
				second := r.do(r.exists(first), regenerate).ID
				third := r.do(r.exists(second), regenerate).ID
				under, way := r.exists(first), r.exists(second)
				end(r, third)
				for _, id := range []string{first, second, third} {
					r.gone(id)
				}
				for _, s := range []*sessionstore.Session{under, way} {
					r.outcome(r.do(s, update(`{"b":1}`)), sessionstore.Dropped, sessionstore.CookieKept)
					r.outcome(r.do(s, regenerate), sessionstore.Dropped, sessionstore.CookieKept)
				}
				if n := r.count(sessionstore.Live); n != 0 {
					t.Errorf("%d sessions", n)
				}
			})
		})
	}
}

// TestAnAliasOfWhatHasIdledOutByThePresentConfiguration: its store still keeps the session.
func TestAnAliasOfWhatHasIdledOutByThePresentConfiguration(t *testing.T) {
	bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
		first := r.begin(update(`{"a":1}`))
		second := r.do(r.exists(first), regenerate).ID
		time.Sleep(5 * time.Second)
		now := r.another(sessionstore.Options{IdleTimeout: 5 * time.Second})
		now.gone(second)
		now.gone(first)
		r.exists(first)
	})
}

// TestChainsOfAliases stands on both sides of the limit, with each id showing what it showed last.
func TestChainsOfAliases(t *testing.T) {
	for _, n := range []int{1, 2, 5, sessionstore.MaxAliases - 1} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			r := newRig(t, sessionstore.Options{})
			ids := []string{r.begin(update(`{"n":0}`))}
			early := r.exists(ids[0])
			for i := range n {
				out := r.do(r.exists(ids[i]), regenerate, update(`[{"op":"increment","path":"/n","value":1}]`))
				ids = append(ids, out.ID)
			}
			last := ids[n]
			for i, id := range ids {
				s := r.exists(id)
				if want := fmt.Sprintf(`{"n":%d}`, i); s.Data() != want || s.Former() != (i < n) {
					t.Errorf("id %d: %s, former %t", i, s.Data(), s.Former())
				}
			}
			for i, s := range []*sessionstore.Session{early, r.exists(ids[0]), r.exists(ids[n/2])} {
				r.do(s, update(fmt.Sprintf(`{"k%d":1}`, i)))
			}
			r.want(last, fmt.Sprintf(`{"n":%d,"k0":1,"k1":1,"k2":1}`, n))
			r.do(early, destroy)
			if len(r.records()) != 0 {
				t.Errorf("%d records", len(r.records()))
			}
		})
	}
}

func TestTooLongAChainOfAliases(t *testing.T) {
	r := newRig(t, sessionstore.Options{})
	id := r.begin(update(`{"a":1}`))
	first, s := id, r.exists(id)
	for range sessionstore.MaxAliases + 1 {
		id = r.do(r.exists(id), regenerate).ID
	}
	if _, err := r.Load(t.Context(), first, here); !errors.Is(err, sessionstore.ErrUnavailable) {
		t.Errorf("loading: %v", err)
	}
	r.refuse(sessionstore.ErrUnavailable, s, update(`{"b":1}`))
	r.refuse(sessionstore.ErrUnavailable, s, destroy)
	r.want(id, `{"a":1}`)
}

// TestAliasesInACircle are not what a manager writes, but what it must not hang on.
func TestAliasesInACircle(t *testing.T) {
	bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
		one, two := sessionstore.NewID(), sessionstore.NewID()
		for id, target := range map[string]string{one: two, two: one} {
			r.plant(id, r.encode(sessionstore.Record{
				State: sessionstore.Alias, Target: sessionstore.Ref(target), Scope: here.String(), Data: []byte("{}"), Created: time.Now(),
			}), time.Hour)
		}
		start := time.Now()
		if s, err := r.Load(t.Context(), one, here); !errors.Is(err, sessionstore.ErrUnavailable) || s.Exists() {
			t.Errorf("loading: %v", err)
		}
		if time.Since(start) > 0 {
			t.Error("it took time")
		}
	})
}
