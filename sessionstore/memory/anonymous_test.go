package memory

import (
	"fmt"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// record returns the record of a session, anonymous or not.
func record(t *testing.T, user string) []byte {
	t.Helper()
	value, err := sessionstore.Native{}.Encode(&sessionstore.Record{Data: []byte("{}"), UserField: "user", User: user})
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func save(t *testing.T, s *Store, key string, old, value []byte) {
	t.Helper()
	if _, err := s.CompareAndSet(t.Context(), key, old, value, time.Hour); err != nil {
		t.Fatal(err)
	}
}

// A flood of visitors does not log out users: a full store drops visitors first, whoever was there
// last.
func TestFloodOfVisitorsDropsNoUser(t *testing.T) {
	s := open(t, Options{MaxSessions: 20})
	user, nobody := record(t, "zoe"), record(t, "")
	for i := range 10 {
		save(t, s, fmt.Sprint("user", i), nil, user)
	}
	// One that has logged in, one that has logged out, and one of a site that does not say.
	save(t, s, "in", nil, nobody)
	save(t, s, "in", nobody, user)
	save(t, s, "out", nil, user)
	save(t, s, "out", user, nobody)
	create(t, s, "unknown", 10)
	for i := range 1000 {
		save(t, s, fmt.Sprint("visitor", i), nil, nobody)
	}
	for i := range 10 {
		if !s.peek(fmt.Sprint("user", i)) {
			t.Errorf("user %d is gone", i)
		}
	}
	if !s.peek("in") || !s.peek("unknown") || s.peek("out") || !s.peek("visitor999") || s.peek("visitor0") {
		t.Error("the wrong ones were evicted")
	}
	// Without visitors, the user that was used least recently goes.
	for i := range 20 {
		save(t, s, fmt.Sprint("another", i), nil, user)
	}
	if s.peek("user0") || s.peek("visitor999") || !s.peek("another19") {
		t.Error("the wrong users were evicted")
	}
	s.check(t)
}
