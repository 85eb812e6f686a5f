package bolt

import (
	"errors"
	"fmt"
	"testing"
	"time"

	bbolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// transactions returns how many transactions were written.
func transactions(tb testing.TB, s *Store) (n int) {
	tb.Helper()
	f, err := s.file(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	if err := f.db.View(func(tx *bbolt.Tx) error { n = tx.ID(); return nil }); err != nil {
		tb.Fatal(err)
	}
	return n
}

// run runs a batch as the combiner would.
func run(tb testing.TB, s *Store, batch ...*op) {
	tb.Helper()
	f, err := s.file(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	s.commit(f, batch)
}

func TestABatchIsOneTransaction(t *testing.T) {
	s := openTemp(t, Options{})
	before := transactions(t, s)
	ops := []*op{
		{kind: setOp, key: "a", value: []byte("1"), ttl: time.Hour},
		{kind: setOp, key: "a", value: []byte("2"), ttl: time.Hour},                    // comes second
		{kind: setOp, key: "a", old: []byte("1"), value: []byte("3"), ttl: time.Hour},  // goes on from the first
		{kind: setOp, key: "b", old: []byte("x"), value: []byte("4"), ttl: time.Hour},  // nothing is there
		{kind: setOp, key: "c", value: []byte("5"), ttl: time.Hour},                    // has nothing to do with it
		{kind: setOp, key: "c", value: []byte("5"), ttl: time.Hour},                    // the same again
		{kind: deleteOp, key: "c", old: []byte("6")},                                   // another is there
		{kind: deleteOp, key: "d", old: []byte("7")},                                   // nothing is there
		{kind: deleteOp, key: "a", old: []byte("3")},                                   // what this batch has written
		{kind: setOp, key: "a", old: []byte("3"), value: []byte("8"), ttl: time.Hour},  // is gone
		{kind: setOp, key: "e", value: nil, ttl: time.Hour},                            // empty
		{kind: setOp, key: "e", old: []byte{}, value: []byte("9"), ttl: time.Hour},     // is not nothing
		{kind: setOp, key: "f", value: []byte("10"), ttl: -time.Hour},                  // has expired
		{kind: setOp, key: "f", old: []byte("10"), value: []byte("x"), ttl: time.Hour}, // so this is not there
	}
	run(t, s, ops...)
	for i, found := range map[int]string{1: "1", 3: "", 6: "5", 9: "", 13: ""} {
		if !errors.Is(ops[i].err, sessionstore.ErrConflict) || string(ops[i].found.Value) != found || ops[i].found.Found() != (found != "") {
			t.Errorf("op %d: %v with %q, want a conflict with %q", i, ops[i].err, ops[i].found.Value, found)
		}
		ops[i].err = nil
	}
	for i, o := range ops {
		if o.err != nil {
			t.Errorf("op %d: %v", i, o.err)
		}
	}
	want(t, s, "a", nil)
	want(t, s, "b", nil)
	want(t, s, "c", []byte("5"))
	want(t, s, "e", []byte("9"))
	if n := transactions(t, s) - before; n != 1 {
		t.Errorf("%d transactions", n)
	}
}

func TestUnchangedRecordsAreNotWritten(t *testing.T) {
	s := openTemp(t, Options{})
	save(t, s, "key", nil, []byte("one"))
	before := transactions(t, s)
	save(t, s, "key", nil, []byte("one"))
	_, err1 := s.CompareAndSet(t.Context(), "key", nil, []byte("two"), time.Hour)
	_, err2 := s.CompareAndDelete(t.Context(), "key", []byte("two"))
	_, err3 := s.CompareAndDelete(t.Context(), "other", []byte("two"))
	if !errors.Is(err1, sessionstore.ErrConflict) || !errors.Is(err2, sessionstore.ErrConflict) || err3 != nil {
		t.Error(err1, err2, err3)
	}
	if n := transactions(t, s) - before; n != 0 {
		t.Errorf("%d transactions", n)
	}
	// After a failure, the record that is read may not be on disk. Confirming it takes a
	// transaction.
	f, _ := s.file(t.Context())
	f.unsaved = true
	save(t, s, "key", nil, []byte("one"))
	save(t, s, "key", nil, []byte("one"))
	if n := transactions(t, s) - before; n != 1 {
		t.Errorf("%d transactions after a failure, want 1", n)
	}
}

// TestAFullDisk limits the size of the file.
func TestAFullDisk(t *testing.T) {
	s := openTemp(t, Options{tune: func(o *bbolt.Options) { o.MaxSize = 256 << 10 }})
	value := make([]byte, 500)
	save(t, s, "mine", nil, []byte("one"))
	n, err := 0, error(nil)
	for ; err == nil; n++ {
		_, err = s.CompareAndSet(t.Context(), fmt.Sprint("key", n), nil, value, time.Hour)
	}
	if !errors.Is(err, sessionstore.ErrUnavailable) || !errors.Is(err, berrors.ErrMaxSizeReached) {
		t.Fatalf("got %v", err)
	}
	n--
	want(t, s, fmt.Sprint("key", n), nil)
	want(t, s, "mine", []byte("one"))

	// All ops of a batch fail, conflicts too, and none has an effect.
	large := &op{kind: setOp, key: "large", value: make([]byte, 300_000), ttl: time.Hour}
	small := &op{kind: setOp, key: "mine", old: []byte("one"), value: []byte("two"), ttl: time.Hour}
	conflict := &op{kind: deleteOp, key: "mine", old: []byte("x")}
	run(t, s, small, large, conflict)
	for _, o := range []*op{large, small, conflict} {
		if !errors.Is(o.err, sessionstore.ErrUnavailable) || errors.Is(o.err, sessionstore.ErrConflict) || o.found.Found() {
			t.Errorf("got %v", o.err)
		}
	}
	want(t, s, "mine", []byte("one"))
	want(t, s, "large", nil)

	// Touches wait, and do not make changes fail.
	if err := s.Touch(t.Context(), "mine", []byte("one"), 2*time.Hour); err != nil {
		t.Error(err)
	}
	run(t, s, large)
	for i := range n {
		if _, err := s.CompareAndDelete(t.Context(), fmt.Sprint("key", i), value); err != nil {
			t.Fatalf("making room: %v", err)
		}
	}
	if e, err := s.Get(t.Context(), "mine"); err != nil || e.TTL <= time.Hour {
		t.Errorf("the touch is lost: %v, %v", e, err)
	}
	save(t, s, "mine", []byte("one"), []byte("two"))
	closeStore(t, s)
	if err := Check(s.o.Path); err != nil {
		t.Error(err)
	}
}

func TestInvalidSizesFailAlone(t *testing.T) {
	s := openTemp(t, Options{})
	for _, key := range []string{"", string(make([]byte, sessionstore.MaxKey+1))} {
		_, err1 := s.CompareAndSet(t.Context(), key, nil, []byte("one"), time.Hour)
		_, err2 := s.CompareAndDelete(t.Context(), key, []byte("one"))
		if !errors.Is(err1, errSize) || !errors.Is(err2, errSize) {
			t.Error(err1, err2)
		}
	}
	_, err := s.CompareAndSet(t.Context(), "key", nil, make([]byte, sessionstore.MaxValue+1), time.Hour)
	if !errors.Is(err, errSize) || !errors.Is(err, sessionstore.ErrUnavailable) {
		t.Error(err)
	}
}

// TestFreeListSync checks that transactions write the list of free pages while it is short and
// leave it out while it is long, and that closing the file writes it.
func TestFreeListSync(t *testing.T) {
	s := openTemp(t, Options{})
	list := fill(t, s, 5000)
	f, err := s.file(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	save(t, s, "key", nil, []byte("one"))
	if !f.synced {
		t.Errorf("a short list is left out: %d pages", f.db.Stats().FreePageN)
	}
	err = f.update(func(b *bbolt.Bucket) (changed []string, err error) {
		var errs []error
		for _, key := range list {
			errs = append(errs, b.Delete([]byte(key)))
			changed = append(changed, key)
		}
		return changed, errors.Join(errs...)
	})
	if err != nil {
		t.Fatal(err)
	}
	save(t, s, "key", []byte("one"), []byte("two"))
	save(t, s, "key", []byte("two"), []byte("three"))
	if f.synced {
		t.Errorf("a long list is written: %d pages", f.db.Stats().FreePageN)
	}
	closeStore(t, s)
	s = openTemp(t, Options{Path: s.o.Path})
	want(t, s, "key", []byte("three"))
	if f, _ := s.file(t.Context()); !f.synced {
		t.Error("closing the file has left the list out")
	}
}
