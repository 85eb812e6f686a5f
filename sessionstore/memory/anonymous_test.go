package memory

import (
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/storetest"
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

// Sessions that have expired are counted, and not what else is kept: once, whether they are swept
// or asked for.
func TestExpiredSessionsAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var expired atomic.Int64
		s := New(Options{OnExpire: func() { expired.Add(1) }})
		records, sessions := storetest.Records(t)
		for i, value := range records {
			save(t, s, fmt.Sprint("key", i), nil, value)
		}
		time.Sleep(time.Hour)
		for i := range records[:len(records)/2] {
			if e, err := s.Get(t.Context(), fmt.Sprint("key", i)); err != nil || e.Found() {
				t.Error("found an expired record")
			}
		}
		time.Sleep(time.Hour)
		if err := s.Close(); err != nil { // ends the sweeper
			t.Error(err)
		}
		if n := int(expired.Load()); n != sessions {
			t.Errorf("%d sessions have expired, want %d", n, sessions)
		}
	})
}

// A full store makes room for a record that grows: not by dropping that record, even if it is the
// one that would go first.
func TestRecordThatGrowsIsNotEvictedForItself(t *testing.T) {
	sized := func(user string, size int) []byte {
		value, err := sessionstore.Native{}.Encode(&sessionstore.Record{
			Data: fmt.Appendf(nil, `{"a":"%0*d"}`, size, 0), UserField: "user", User: user,
		})
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
	for _, user := range []string{"", "yan"} {
		for _, visitors := range []int{0, 1, 5} {
			s := open(t, Options{MaxBytes: 10_000})
			for i := range 20 {
				save(t, s, fmt.Sprint("user", i), nil, sized("zoe", 100))
			}
			small, large := sized(user, 10), sized(user, 9500)
			save(t, s, "grows", nil, small)
			for i := range visitors {
				save(t, s, fmt.Sprint("visitor", i), nil, sized("", 10))
			}
			save(t, s, "grows", small, large)
			if e, err := s.Get(t.Context(), "grows"); err != nil || len(e.Value) != len(large) {
				t.Errorf("user %q, %d visitors: %d bytes, %v", user, visitors, len(e.Value), err)
			}
			s.check(t)
		}
	}
}

// While a full store makes room for a record that grows, others need room too. The record that
// grows is in use, so it is not the one that goes.
func TestRecordThatGrowsIsNotEvictedForAnother(t *testing.T) {
	sized := func(size int) []byte {
		value, err := sessionstore.Native{}.Encode(&sessionstore.Record{
			Data: fmt.Appendf(nil, `{"a":"%0*d"}`, size, 0), UserField: "user", User: "zoe",
		})
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
	var s *Store
	busy := false
	s = open(t, Options{MaxBytes: 20_000, OnEvict: func() {
		if busy {
			busy = false
			save(t, s, "another", nil, sized(2000))
		}
	}})
	for i := range 100 {
		save(t, s, fmt.Sprint("user", i), nil, sized(100))
	}
	small, large := sized(10), sized(500)
	save(t, s, "grows", nil, small)
	for i := range 100 { // the record that grows is the one that was used least recently
		if _, err := s.Get(t.Context(), fmt.Sprint("user", i)); err != nil {
			t.Fatal(err)
		}
	}
	busy = true
	save(t, s, "grows", small, large)
	if e, err := s.Get(t.Context(), "grows"); busy || err != nil || len(e.Value) != len(large) || !s.peek("another") {
		t.Errorf("%d bytes, %v", len(e.Value), err)
	}
	s.check(t)
}
