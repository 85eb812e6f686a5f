package sessionstore_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// by loads the session for a client.
func (r *rig) by(id, agent string) *sessionstore.Session {
	r.Helper()
	s := r.exists(id)
	s.Client = sessionstore.NewClient("192.0.2.1", agent)
	return s
}

func (r *rig) clients(id, first, last string) {
	r.Helper()
	i, found, err := r.Describe(sessionstore.Ref(id), r.entry(id))
	if !found || err != nil || i.First.UserAgent != first || i.Last.UserAgent != last {
		r.Errorf("the first client is %q, the last one %q, want %q and %q, %v", i.First.UserAgent, i.Last.UserAgent, first, last, err)
	}
}

// The first and the last client are remembered: at each save, and at touches, as often as the use
// is recorded.
func TestClientsAreRemembered(t *testing.T) {
	o := sessionstore.Options{User: byUser.User, RememberClient: true}
	bubble(t, o, func(t *testing.T, r *rig) {
		begin := &sessionstore.Session{Scope: here, Client: sessionstore.NewClient("192.0.2.1", "one")}
		id := r.do(begin, update(`{"a":1}`)).ID
		r.clients(id, "one", "one")
		r.do(r.by(id, "two"), update(`{"a":2}`))
		r.clients(id, "one", "two")
		time.Sleep(2 * time.Hour)
		if err := r.Touch(context.Background(), r.by(id, "three")); err != nil {
			t.Error(err)
		}
		r.clients(id, "one", "three")
		newID := r.do(r.by(id, "four"), loggedIn("zoe")).ID
		r.clients(newID, "one", "four")
		// Nothing is news here, so the touch changes no record.
		r.visit(newID)
		time.Sleep(2 * time.Hour)
		before := string(r.entry(newID).Value)
		if err := r.Touch(context.Background(), r.by(newID, "four")); err != nil {
			t.Error(err)
		}
		if string(r.entry(newID).Value) != before {
			t.Error("a touch by the same client has changed the record")
		}
		// Without the option, the next save forgets them.
		plain := r.another(byUser)
		plain.do(plain.by(newID, "five"), update(`{"b":1}`))
		r.clients(newID, "", "")
	})
}

// A client cannot fill records, or put control characters into lists.
func TestClientsAreClean(t *testing.T) {
	c := sessionstore.NewClient("192.0.2.1", "a\x1b[2J\xff\n"+strings.Repeat("x", 1000))
	if !strings.HasPrefix(c.UserAgent, "a?[2J??xxx") || len(c.UserAgent) > 256 {
		t.Errorf("%q, %d bytes", c.UserAgent, len(c.UserAgent))
	}
}
