package admin

import (
	"context"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/memory"
)

// place is an open store with the sessions of one site.
type place struct {
	*testing.T
	*Opened
	store sessionstore.Store
	m     *sessionstore.Manager
}

var scope = sessionstore.Scope{Site: "site", Host: "example.org"}

func newPlace(t *testing.T) *place {
	t.Helper()
	user, err := sessionstore.ParseField("user")
	if err != nil {
		t.Fatal(err)
	}
	store := memory.New(memory.Options{})
	t.Cleanup(func() { _ = store.Close() })
	m := sessionstore.NewManager(store, sessionstore.Options{User: user, StoreTimeout: time.Minute})
	p := &part{store: store, all: sessionstore.Managers{m}, first: m, native: true}
	p.Lists = true
	return &place{t, &Opened{parts: []*part{p}}, store, m}
}

func (p *place) login(in sessionstore.Scope, user string) (id string) {
	p.Helper()
	out, err := p.m.Commit(context.Background(), &sessionstore.Session{Scope: in}, &sessionstore.Change{
		Edits: []sessionstore.Edit{sessionstore.Set("user", user)},
	})
	if err != nil {
		p.Fatal(err)
	}
	return out.ID
}

func (p *place) exists(in sessionstore.Scope, id string) bool {
	p.Helper()
	s, err := p.m.Load(context.Background(), id, in)
	if err != nil {
		p.Error(err)
	}
	return s.Exists()
}

// loseIndexes deletes the lists of users' sessions, or damages them, and returns how many.
func (p *place) loseIndexes(damage bool) (n int) {
	p.Helper()
	ctx := context.Background()
	page, err := p.store.(sessionstore.Walker).Walk(ctx, "user.", "", sessionstore.MaxPage)
	for _, r := range page.Records {
		if damage {
			_, err = p.store.CompareAndSet(ctx, r.Key, r.Value, r.Value[:len(r.Value)-1], time.Hour)
		} else {
			_, err = p.store.CompareAndDelete(ctx, r.Key, r.Value)
		}
		n++
	}
	if err != nil {
		p.Fatal(err)
	}
	return n
}

// A store may have dropped the list of a user's sessions. What a walk through the store finds of
// the user is shown and ends all the same, in each scope, but for the one that is to go on.
func TestSessionsThatAreNotListedEndWithTheUser(t *testing.T) {
	for _, damage := range []bool{false, true} {
		p := newPlace(t)
		there := sessionstore.Scope{Site: scope.Site, Host: "example.net"}
		ids := []string{p.login(scope, "zoe"), p.login(scope, "zoe"), p.login(scope, "zoe")}
		other, bob := p.login(there, "zoe"), p.login(scope, "bob")
		if n := p.loseIndexes(damage); n != 3 {
			t.Fatalf("%d lists", n)
		}
		if !damage { // a new list has the later ones only
			ids = append(ids, p.login(scope, "zoe"))
			page, err := p.Find(t.Context(), Of{User: "zoe"})
			if len(page.Sessions) != len(ids)+1 || err != nil {
				t.Errorf("%d sessions are found, want %d, %v", len(page.Sessions), len(ids)+1, err)
			}
		}
		done, err := p.End(t.Context(), Of{User: "zoe", Except: sessionstore.Ref(ids[1])})
		if (err != nil) != damage {
			t.Errorf("damaged %t: %v", damage, err)
		}
		if done.Ended != len(ids) {
			t.Errorf("%d have ended, want %d", done.Ended, len(ids))
		}
		for i, id := range ids {
			if p.exists(scope, id) != (i == 1) {
				t.Errorf("damaged %t: session %d is %t", damage, i, i != 1)
			}
		}
		if p.exists(there, other) || !p.exists(scope, bob) {
			t.Error("the wrong ones have ended")
		}
	}
}

// Whoever has got another user since the walk is not ended.
func TestSessionsOfAnotherUserSinceTheWalkGoOn(t *testing.T) {
	p := newPlace(t)
	id := p.login(scope, "bob")
	n, err := p.m.EndUser(t.Context(), scope, "zoe", "", sessionstore.Ref(id))
	if n != 0 || err != nil || !p.exists(scope, id) {
		t.Errorf("%d have ended, %v", n, err)
	}
}

// A session whose new id has a record that cannot be read stops the end of no other.
func TestEndAllDespiteARecordThatCannotBeRead(t *testing.T) {
	p := newPlace(t)
	ctx := context.Background()
	ids := []string{p.login(scope, "zoe"), p.login(scope, "zoe")}
	s, err := p.m.Load(ctx, ids[0], scope)
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.m.Commit(ctx, s, &sessionstore.Change{Regenerate: true})
	if err != nil {
		t.Fatal(err)
	}
	e, err := p.store.Get(ctx, out.Ref)
	if err == nil {
		_, err = p.store.CompareAndSet(ctx, out.Ref, e.Value, e.Value[:len(e.Value)-1], time.Hour)
	}
	if err != nil {
		t.Fatal(err)
	}
	for range 2000 { // several pages
		ids = append(ids, p.login(sessionstore.Scope{Site: scope.Site, Host: rand.Text()}, "bob"))
	}
	done, err := p.End(ctx, Of{All: true})
	if done.Ended != len(ids) || !errors.Is(err, sessionstore.ErrRecord) {
		t.Errorf("%d have ended, want %d, %v", done.Ended, len(ids), err)
	}
}

// halves is a store that lists the record under a key last. It calls between before that.
type halves struct {
	sessionstore.Store
	last    string
	between func()
}

func (h *halves) Walk(ctx context.Context, prefix, after string, limit int) (page sessionstore.Page, err error) {
	if after == "" {
		page.Next = "last"
	} else {
		h.between()
	}
	all, err := h.Store.(sessionstore.Walker).Walk(ctx, prefix, "", limit)
	for _, r := range all.Records {
		if (r.Key == h.last) == (after != "") {
			page.Add(r.Key, r.Entry, limit)
		}
	}
	return page, err
}

// A session that gets a new id while the store is walked through ends too, though the walk has
// passed the place of the new record, and the old one has ended.
func TestASessionThatGetsANewIDDuringTheWalkEnds(t *testing.T) {
	for _, of := range []Of{{All: true}, {All: true, Scope: scope.String()}, {User: "zoe"}} {
		p := newPlace(t)
		id, newID := p.login(scope, "zoe"), ""
		p.parts[0].store = &halves{p.store, sessionstore.Ref(id), func() {
			s, err := p.m.Load(t.Context(), id, scope)
			if err != nil {
				t.Fatal(err)
			}
			out, err := p.m.Commit(t.Context(), s, &sessionstore.Change{Regenerate: true})
			if err == nil {
				newID = out.ID
				s, err = p.m.Load(t.Context(), newID, scope)
			}
			if err == nil {
				err = p.m.Touch(t.Context(), s) // so that it counts as used
			}
			if err != nil {
				t.Fatal(err)
			}
		}}
		done, err := p.End(t.Context(), of)
		if done.Ended != 1 || err != nil || p.exists(scope, newID) {
			t.Errorf("%+v: %d have ended, %v", of, done.Ended, err)
		}
	}
}

// A session that a change has emptied is not filled again when all have ended.
func TestAnEmptiedSessionEndsWithAll(t *testing.T) {
	p := newPlace(t)
	id := p.login(scope, "zoe")
	var both [2]*sessionstore.Session
	for i := range both {
		var err error
		if both[i], err = p.m.Load(t.Context(), id, scope); err != nil {
			t.Fatal(err)
		}
	}
	change := func(s *sessionstore.Session, e sessionstore.Edit) {
		if _, err := p.m.Commit(t.Context(), s, &sessionstore.Change{Edits: []sessionstore.Edit{e}}); err != nil {
			t.Fatal(err)
		}
	}
	change(both[0], sessionstore.Remove("user"))
	if _, err := p.End(t.Context(), Of{All: true}); err != nil {
		t.Fatal(err)
	}
	change(both[1], sessionstore.Set("a", 1))
	if p.exists(scope, id) {
		t.Error("it is back")
	}
}
