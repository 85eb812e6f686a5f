package sessionstore_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// idLen is the length of 32 bytes in base64url.
const idLen = 43

func TestIDs(t *testing.T) {
	known := map[string]bool{}
	for range 1000 {
		id := sessionstore.NewID()
		if !sessionstore.ValidID(id) || len(id) != idLen || known[id] {
			t.Fatalf("id %q", id)
		}
		known[id] = true
		ref := sessionstore.Ref(id)
		if len(ref) != idLen || !sessionstore.ValidID(ref) || known[ref] {
			t.Fatalf("ref %q", ref)
		}
		known[ref] = true
	}
	good := strings.Repeat("aZ0-_", 9)[:idLen]
	for name, id := range map[string]string{
		"empty": "", "short": good[1:], "long": good + "a", "padded": good[1:] + "=", "slash": good[1:] + "/",
		"plus": good[1:] + "+", "NUL": good[1:] + "\x00", "newline": good[1:] + "\n", "not ASCII": good[2:] + "é", "separator": good[1:] + ".",
	} {
		if sessionstore.ValidID(id) {
			t.Errorf("%s: %q is valid", name, id)
		}
	}
	if !sessionstore.ValidID(good) {
		t.Errorf("%q is not valid", good)
	}
}

func TestTheRefIsASHA256OfTheID(t *testing.T) {
	if ref := sessionstore.Ref("abc"); ref != "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0" {
		t.Error(ref)
	}
}

func TestAnIDThatTheStoreDoesNotKnowIsNeverAdopted(t *testing.T) {
	r := newRig(t, sessionstore.Options{})
	planted := sessionstore.NewID()
	s := r.load(planted)
	r.gone(planted)
	out := r.do(s, update(`{"user":"victim"}`))
	r.outcome(out, sessionstore.Saved, sessionstore.CookieSet)
	if out.ID == planted {
		t.Error("the planted id was adopted")
	}
	r.gone(planted)
	r.want(out.ID, `{"user":"victim"}`)
}

func TestALoadIsOneRead(t *testing.T) {
	r := newRig(t, sessionstore.Options{})
	id := r.begin(update(`{"a":1}`), flash(`"hello"`))
	r.store.heal()
	s := r.exists(id)
	if n := len(r.store.calls); n != 1 {
		t.Errorf("%d operations", n)
	}
	if s.Data() != `{"a":1}` || s.Flash() != `[["message","hello"]]` || s.Ref() != sessionstore.Ref(id) || s.Former() || s.NoCookie {
		t.Errorf("loaded %s, %s, %s", s.Data(), s.Flash(), s.Ref())
	}
	r.store.heal()
	r.gone(sessionstore.NewID())
	if n := len(r.store.calls); n != 1 {
		t.Errorf("%d operations for an unknown id", n)
	}
}

// TestPeekOnlyReads looks at a session with a new id that nobody has come with yet. Loading it
// would end the old one.
func TestPeekOnlyReads(t *testing.T) {
	r := newRig(t, sessionstore.Options{})
	old := r.do(r.load(sessionstore.NewID()), update(`{"a":1}`)).ID
	fresh := r.do(r.load(old), func(c *sessionstore.Change) { c.Regenerate = true }).ID
	peek := func(id string) *sessionstore.Session {
		t.Helper()
		s, entry, err := r.Peek(context.Background(), id, here)
		if err != nil || !entry.Found() {
			t.Fatal(err)
		}
		return s
	}
	if s := peek(fresh); s.Data() != `{"a":1}` || s.Ref() != sessionstore.Ref(fresh) {
		t.Errorf("%s has %s", s.Ref(), s.Data())
	}
	if s := r.load(old); !s.Exists() {
		t.Error("peeking has ended the old session")
	}
	r.load(fresh)
	if s := peek(old); s.Exists() || s.Absence() != sessionstore.Over {
		t.Error("the old session is still there")
	}
	if s, _, err := r.Peek(context.Background(), fresh, sessionstore.Scope{Site: "other"}); err != nil || s.Exists() || s.Absence() != sessionstore.OtherScope {
		t.Errorf("of another scope: %t, %v", s.Exists(), err)
	}
}

func TestNoKeyInTheStoreIsAnID(t *testing.T) {
	r := newRig(t, sessionstore.Options{})
	id := r.begin(update(`{"a":1}`))
	second := r.do(r.exists(id), regenerate).ID
	for key, rec := range r.records() {
		for _, secret := range []string{id, second} {
			if strings.Contains(key, secret) || strings.Contains(rec.Target, secret) {
				t.Error("whoever reads the store has a cookie")
			}
		}
	}
}

func TestTheAnonymousSession(t *testing.T) {
	for name, s := range map[string]*sessionstore.Session{
		"zero value": {},
		"not found":  newRig(t, sessionstore.Options{}).load(sessionstore.NewID()),
	} {
		if s.Exists() || s.Ref() != "" || s.Data() != "{}" || s.Flash() != "" || s.Former() || s.Permanent() || s.TouchDue() {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

func TestWhatOneLoadsNobodyChanges(t *testing.T) {
	r := newRig(t, sessionstore.Options{})
	id := r.begin(update(`{"a":1}`), flash(`"hello"`))
	s := r.exists(id)
	r.do(r.exists(id), update(`{"a":2}`), seen)
	r.do(r.exists(id), destroy)
	if s.Data() != `{"a":1}` || s.Flash() != `[["message","hello"]]` {
		t.Errorf("%s, %s", s.Data(), s.Flash())
	}
}

func TestLoadRef(t *testing.T) {
	r := newRig(t, sessionstore.Options{})
	id := r.begin(update(`{"a":1}`))
	s, err := r.LoadRef(t.Context(), sessionstore.Ref(id), here)
	if err != nil || !s.Exists() || s.Data() != `{"a":1}` || !s.NoCookie {
		t.Fatalf("%+v, %v", s, err)
	}
	r.do(s, update(`{"b":2}`))
	r.want(id, `{"a":1,"b":2}`)
	if s, err = r.LoadRef(t.Context(), "nothing", here); err != nil || s.Exists() || !s.NoCookie {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestALoadThatFailsFindsNobody(t *testing.T) {
	r := newRig(t, sessionstore.Options{})
	id := r.begin(update(`{"a":1}`))
	for name, h := range map[string]func(op, int, hook){"refused": r.store.before, "answer lost": r.store.after} {
		r.store.heal()
		h(get, 0, lose)
		s, err := r.Load(t.Context(), id, here)
		if !errors.Is(err, errLost) || s.Exists() || s.Data() != "{}" || s.Ref() != "" || s.Scope != here {
			t.Errorf("%s: %v, %+v", name, err, s)
		}
	}
	r.store.heal()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Load(ended, id, here); !errors.Is(err, context.Canceled) {
		t.Errorf("an ended context: %v", err)
	}
}

func TestErrorsNameNeitherIDsNorData(t *testing.T) {
	r := newRig(t, sessionstore.Options{MaxSize: 100})
	const secret = "s3cr3t"
	id := r.begin(update(`{"` + secret + `":"` + secret + `"}`))
	s := r.exists(id)
	var errs []error
	for _, text := range []string{
		`[{"op":"test","path":"/` + secret + `","value":"` + secret + `x"}]`,
		`[{"op":"remove","path":"/x` + secret + `"}]`,
		`[{"op":"replace","path":"","value":["` + secret + `"]}]`,
		`{"x":"` + strings.Repeat(secret, 100) + `"}`,
		`{"x":"` + strings.Repeat(secret, 20) + `"}`,
	} {
		_, err := r.try(s, update(text))
		errs = append(errs, err)
	}
	_, err := sessionstore.ParseEdit(`"` + secret + `"`)
	errs = append(errs, err)
	_, err = sessionstore.ParseEdit(`[{"op":"` + secret + `"}]`)
	errs = append(errs, err)
	_, err = sessionstore.ParseFlash(`["` + secret + `"]`)
	errs = append(errs, err)
	for i, err := range errs {
		if !errors.Is(err, sessionstore.ErrInvalid) || strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), id) {
			t.Errorf("%d: %v", i, err)
		}
	}
	r.plant(id, []byte("\xc1"+secret+strings.Repeat("x", 30)), time.Hour)
	if _, err := r.Load(t.Context(), id, here); !errors.Is(err, sessionstore.ErrRecord) || strings.Contains(err.Error(), secret) {
		t.Errorf("damaged: %v", err)
	}
}
