package moving_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/memory"
	"github.com/caddy-session/caddy-session/sessionstore/moving"
)

// noLists is a store that cannot read the lists of users' sessions.
type noLists struct{ sessionstore.Store }

func (s noLists) Get(ctx context.Context, key string) (sessionstore.Entry, error) {
	if strings.HasPrefix(key, "user.") {
		return sessionstore.Entry{}, sessionstore.ErrUnavailable
	}
	return s.Store.Get(ctx, key)
}

// All sessions of a user move by being used once, within a touch interval, so nobody looks at the
// list of them. It has moved with the first one.
func TestUsersEndTheirOthersAfterAMove(t *testing.T) {
	user, err := sessionstore.ParseField("user")
	if err != nil {
		t.Fatal(err)
	}
	from, to := memory.New(memory.Options{}), memory.New(memory.Options{})
	defer from.Close()
	defer to.Close()
	managed := func(s sessionstore.Store) *sessionstore.Manager {
		return sessionstore.NewManager(s, sessionstore.Options{User: user, StoreTimeout: time.Minute})
	}
	commit := func(m *sessionstore.Manager, s *sessionstore.Session, c *sessionstore.Change) string {
		t.Helper()
		out, err := m.Commit(t.Context(), s, c)
		if err != nil {
			t.Fatal(err)
		}
		return out.ID
	}
	load := func(m *sessionstore.Manager, id string) *sessionstore.Session {
		t.Helper()
		s, err := m.Load(t.Context(), id, sessionstore.Scope{})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	old := managed(from)
	ids := make([]string, 3)
	for i := range ids {
		ids[i] = commit(old, new(sessionstore.Session), &sessionstore.Change{Edits: []sessionstore.Edit{sessionstore.Set("user", "zoe")}})
	}
	// Without the list, no session moves.
	if _, err := managed(moving.New(noLists{from}, to, false)).Load(t.Context(), ids[0], sessionstore.Scope{}); !errors.Is(err, sessionstore.ErrUnavailable) {
		t.Errorf("a session whose list cannot move: %v", err)
	}
	left := func() int {
		page, err := from.Walk(t.Context(), "", "", 100)
		if err != nil {
			t.Fatal(err)
		}
		return len(page.Records)
	}
	if n := left(); n != 4 {
		t.Errorf("%d records are in the old store, want 3 sessions and a list", n)
	}
	both := managed(moving.New(from, to, false))
	for i, id := range ids {
		if s := load(both, id); !s.Exists() || s.TouchDue() {
			t.Errorf("exists %t, to be touched %t", s.Exists(), s.TouchDue())
		}
		if n := left(); n != 2-i {
			t.Errorf("%d records are left after %d sessions, want %d", n, i+1, 2-i)
		}
	}
	alone := managed(to)
	commit(alone, load(alone, ids[0]), &sessionstore.Change{EndOthers: true})
	for i, id := range ids {
		if exists := load(alone, id).Exists(); exists != (i == 0) {
			t.Errorf("session %d is there: %t", i, exists)
		}
	}
}
