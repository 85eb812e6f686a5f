package sessionstore_test

import (
	"testing"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// TestASessionIsNotEnteredFromAnotherScope has a session in each scope looked for from each other,
// among them such as could be taken for one another by a careless comparison. A host may be
// anything that a client writes.
func TestASessionIsNotEnteredFromAnotherScope(t *testing.T) {
	r := newRig(t, sessionstore.Options{})
	scopes := []sessionstore.Scope{
		{},
		{Site: "a"},
		{Host: "a"},
		{Site: "a", Host: "a"},
		{Site: "a", Host: "|"},
		{Host: "|"},
		{Host: "||"},
		{Host: "a|a"},
		{Host: "|a"},
		{Host: "a|"},
		{Site: "a", Host: "a|a"},
		{Site: "a", Host: "|a"},
		{Site: "aa"},
		{Site: "name ", Host: "example.org"},
		{Site: "name ", Host: "www.example.org"},
		{Site: "name ", Host: "ple.org"},
		{Site: "name ", Host: "example.org\n"},
		{Site: "name ", Host: "EXAMPLE.org"},
		{Site: "name ", Host: ""},
		{Site: "name", Host: " example.org"},
		{Site: "name e", Host: "xample.org"},
		{Site: "name  domain example.org"},
		{Site: "name ", Host: "domain example.org"},
		{Site: "scope name ", Host: "example.org"},
		{Site: "scope name "},
		{Site: "name shop", Host: "example.org"},
	}
	texts := map[string]bool{}
	for i, own := range scopes {
		if texts[own.String()] {
			t.Errorf("%+v looks like another", own)
		}
		texts[own.String()] = true
		out := r.do(&sessionstore.Session{Scope: own}, update(`{"a":1}`))
		for j, other := range scopes {
			for name, load := range map[string]func() (*sessionstore.Session, error){
				"id":  func() (*sessionstore.Session, error) { return r.Load(t.Context(), out.ID, other) },
				"ref": func() (*sessionstore.Session, error) { return r.LoadRef(t.Context(), out.Ref, other) },
			} {
				s, err := load()
				if err != nil || s.Exists() != (i == j) || s.Scope != other {
					t.Errorf("a session of %+v, looked for by %s from %+v: exists %t, %v", own, name, other, s.Exists(), err)
				}
				if i != j && (s.Data() != "{}" || s.Ref() != "" || s.TouchDue()) {
					t.Errorf("%+v sees something of a session of %+v", other, own)
				}
			}
		}
	}
}

func TestAMarkedSessionIsNotEnteredFromAnotherScope(t *testing.T) {
	r := newRig(t, sessionstore.Options{})
	id := r.begin(update(`{"a":1}`))
	r.do(r.exists(id), regenerate)
	s, err := r.Load(t.Context(), id, sessionstore.Scope{Site: here.Site, Host: "evil.example"})
	if err != nil || s.Exists() || s.Former() {
		t.Errorf("%+v, %v", s, err)
	}
	r.exists(id)
}

func TestTheScopeStaysThroughEverything(t *testing.T) {
	r := newRig(t, sessionstore.Options{})
	id := r.begin(update(`{"a":1}`))
	id = r.do(r.exists(id), regenerate).ID
	id = r.do(r.exists(id), destroy, update(`{"b":1}`)).ID
	r.do(r.exists(id), idle(1e12), permanent(true), flash(`"x"`))
	id = r.do(r.exists(id), regenerate, update(`{"c":1}`)).ID
	for _, rec := range r.records() {
		if rec.Scope != here.String() {
			t.Errorf("a record of scope %q", rec.Scope)
		}
	}
	r.want(id, `{"b":1,"c":1}`)
}
