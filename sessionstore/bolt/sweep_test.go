package bolt

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	bbolt "go.etcd.io/bbolt"

	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/storetest"
)

// count returns the number of records in the file, including expired ones.
func count(tb testing.TB, s *Store) (n int) {
	tb.Helper()
	f, err := s.file(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	err = f.view(func(b *bbolt.Bucket) error {
		return b.ForEach(func(_, _ []byte) error { n++; return nil })
	})
	if err != nil {
		tb.Fatal(err)
	}
	return n
}

func TestExpiredSessionsAreSwept(t *testing.T) {
	var c clock
	s := openTemp(t, Options{Now: c.now, sweepInterval: time.Millisecond, OnError: func(err error) { t.Error(err) }})
	const n = 5000
	var ops []*op
	for i := range n {
		ttl := time.Minute
		if i%10 == 0 {
			ttl = time.Hour
		}
		ops = append(ops, &op{kind: setOp, key: fmt.Sprintf("key%05d", i), value: []byte("one"), ttl: ttl})
	}
	run(t, s, ops...)
	time.Sleep(300 * time.Millisecond)
	if got := count(t, s); got != n {
		t.Fatalf("%d are left before any has expired", got)
	}
	before := transactions(t, s)
	c.advance(time.Minute)
	eventually(t, "the expired are gone", func() bool { return count(t, s) == n/10 })
	// In steps of 1,000 records with 900 of them expired, at most 256 at a time.
	if got := transactions(t, s) - before; got != n/sweepStep*4 {
		t.Errorf("%d transactions", got)
	}
	for i := 0; i < n; i += 10 {
		want(t, s, fmt.Sprintf("key%05d", i), []byte("one"))
	}
}

// TestRecreatedSessionIsNotSwept creates a session again after it was found expired, and before it
// is deleted.
func TestRecreatedSessionIsNotSwept(t *testing.T) {
	var c clock
	s := openTemp(t, Options{Now: c.now})
	save(t, s, "back", nil, []byte("one"))
	save(t, s, "gone", nil, []byte("one"))
	c.advance(time.Hour)
	f, _ := s.file(t.Context())
	keys, next, err := s.expired(f, nil)
	if err != nil || len(keys) != 2 || next != nil {
		t.Fatal(keys, next, err)
	}
	save(t, s, "back", nil, []byte("two"))
	o := &op{kind: sweepOp, keys: keys}
	run(t, s, o)
	if o.err != nil {
		t.Error(o.err)
	}
	want(t, s, "back", []byte("two"))
	if n := count(t, s); n != 1 {
		t.Errorf("%d records", n)
	}
}

// Sessions that have expired are counted, and not what else is kept.
func TestExpiredSessionsAreCounted(t *testing.T) {
	var c clock
	var expired atomic.Int64
	s := openTemp(t, Options{
		Now: c.now, sweepInterval: time.Millisecond,
		OnError: func(err error) { t.Error(err) }, OnExpire: func(n int) { expired.Add(int64(n)) },
	})
	records, sessions := storetest.Records(t)
	for i, value := range records {
		run(t, s, &op{kind: setOp, key: fmt.Sprint("key", i), value: value, ttl: time.Minute})
	}
	run(t, s, &op{kind: setOp, key: "deleted", value: records[0], ttl: time.Minute})
	run(t, s, &op{kind: deleteOp, key: "deleted", old: records[0]})
	c.advance(time.Hour)
	eventually(t, "the expired are gone, and counted", func() bool { return count(t, s) == 0 && int(expired.Load()) >= sessions })
	if n := int(expired.Load()); n != sessions {
		t.Errorf("%d sessions have expired, want %d", n, sessions)
	}
}

// Visitors who come at once and never log in are gone after anonymous_timeout, and users stay.
func TestFloodOfVisitorsGoesInTime(t *testing.T) {
	const visitors, users = 2000, 10
	var c clock
	s := openTemp(t, Options{Now: c.now, sweepInterval: time.Millisecond, OnError: func(err error) { t.Error(err) }})
	field, err := sessionstore.ParseField("user")
	if err != nil {
		t.Fatal(err)
	}
	m := sessionstore.NewManager(s, sessionstore.Options{
		Now: c.now, User: field, AnonymousTimeout: 10 * time.Minute, StoreTimeout: time.Minute,
	})
	begin := func(name string, i int) (id string) {
		t.Helper()
		out, err := m.Commit(t.Context(), &sessionstore.Session{Scope: crashScope}, &sessionstore.Change{
			Edits: []sessionstore.Edit{sessionstore.Set(name, fmt.Sprint(i))},
		})
		if err != nil {
			t.Error(err)
		}
		return out.ID
	}
	var ids []string
	for i := range users {
		ids = append(ids, begin("user", i))
	}
	var all sync.WaitGroup
	for i := range visitors {
		all.Go(func() { begin("visits", i) })
	}
	all.Wait()
	if n := count(t, s); n < visitors+users {
		t.Errorf("%d records", n)
	}
	c.advance(11 * time.Minute)
	eventually(t, "the visitors are gone", func() bool { return count(t, s) <= 2*users }) // with the users' lists
	for _, id := range ids {
		if found, err := m.Load(t.Context(), id, crashScope); err != nil || !found.Exists() {
			t.Errorf("a user is gone: %v", err)
		}
	}
}
