package bolt

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
)

func ttl(tb testing.TB, s *Store, key string) time.Duration {
	tb.Helper()
	e, err := s.Get(tb.Context(), key)
	if err != nil {
		tb.Fatal(err)
	}
	return e.TTL
}

// In synctest, as here and below, no time passes while a transaction is written.
func TestTouchesShareATransaction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openTemp(t, Options{})
		for i := range 10 {
			save(t, s, fmt.Sprint("key", i), nil, []byte("one"))
		}
		before := transactions(t, s)
		for n := range 50 {
			for i := range 10 {
				if err := s.Touch(t.Context(), fmt.Sprint("key", i), []byte("one"), time.Duration(n+2)*time.Hour); err != nil {
					t.Fatal(err)
				}
			}
		}
		for i := range 10 {
			eventually(t, "the last touch is written", func() bool { return ttl(t, s, fmt.Sprint("key", i)) > 50*time.Hour })
		}
		if n := transactions(t, s) - before; n != 1 {
			t.Errorf("%d transactions", n)
		}
	})
}

func TestTouchesAreWrittenWithTheNextChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openTemp(t, Options{})
		save(t, s, "key", nil, []byte("one"))
		before := transactions(t, s)
		if err := s.Touch(t.Context(), "key", []byte("one"), 2*time.Hour); err != nil {
			t.Fatal(err)
		}
		save(t, s, "other", nil, []byte("one"))
		if ttl(t, s, "key") <= time.Hour {
			t.Error("the touch is not written")
		}
		time.Sleep(2 * touchDelay)
		synctest.Wait()
		if n := transactions(t, s) - before; n != 1 {
			t.Errorf("%d transactions", n)
		}
	})
}

func TestUnchangedTouchesAreNotWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openTemp(t, Options{})
		save(t, s, "key", nil, []byte("one"))
		before := transactions(t, s)
		for key, old := range map[string]string{"key": "two", "gone": "one"} {
			if err := s.Touch(t.Context(), key, []byte(old), time.Hour); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(2 * touchDelay)
		synctest.Wait()
		if n := transactions(t, s) - before; n != 0 {
			t.Errorf("%d transactions", n)
		}
	})
}

// TestTouchAfterExpiry touches a session that expires before the touch is written.
func TestTouchAfterExpiry(t *testing.T) {
	var c clock
	s := openTemp(t, Options{Now: c.now})
	if _, err := s.CompareAndSet(t.Context(), "key", nil, []byte("one"), time.Second); err != nil {
		t.Fatal(err)
	}
	if err := s.Touch(t.Context(), "key", []byte("one"), time.Hour); err != nil {
		t.Fatal(err)
	}
	c.advance(time.Second)
	want(t, s, "key", nil) // somebody has seen that it is gone
	s.flush()
	want(t, s, "key", nil)
}

func TestCloseWritesTouches(t *testing.T) {
	s := openTemp(t, Options{})
	n := 2*maxBatch + 10 // more than one transaction takes
	value := []byte("one")
	run(t, s, func() (ops []*op) {
		for i := range n {
			ops = append(ops, &op{kind: setOp, key: fmt.Sprint("key", i), value: value, ttl: time.Hour})
		}
		return ops
	}()...)
	for i := range n {
		if err := s.Touch(t.Context(), fmt.Sprint("key", i), value, 2*time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	closeStore(t, s)
	s = openTemp(t, Options{Path: s.o.Path})
	for i := range n {
		if ttl(t, s, fmt.Sprint("key", i)) <= time.Hour {
			t.Fatalf("touch %d is lost", i)
		}
	}
}

// TestTouchesThatCannotBeWritten checks that such touches are kept, and not retried all the time.
func TestTouchesThatCannotBeWritten(t *testing.T) {
	told := make(chan error, 10)
	s := openTemp(t, Options{OnError: func(err error) { told <- err }})
	save(t, s, "key", nil, []byte("one"))
	f, err := s.file(t.Context())
	if err := errors.Join(err, f.db.Close()); err != nil {
		t.Fatal(err)
	}
	if err := s.Touch(t.Context(), "key", []byte("one"), 2*time.Hour); err != nil {
		t.Fatal(err)
	}
	if err := <-told; !errors.Is(err, sessionstore.ErrUnavailable) {
		t.Errorf("told %v", err)
	}
	time.Sleep(2 * touchDelay)
	if len(told) > 0 || !s.touches.due() {
		t.Errorf("told %d times more", len(told))
	}
}

func TestTouchesAreBounded(t *testing.T) {
	var all touches
	flush := func() {}
	for i := range maxTouches {
		if err := all.add(fmt.Sprint(i), touch{}, flush); err != nil {
			t.Fatal(err)
		}
	}
	if err := all.add("one more", touch{}, flush); !errors.Is(err, errTouches) {
		t.Errorf("got %v", err)
	}
	if err := all.add("7", touch{deadline: 7}, flush); err != nil {
		t.Errorf("one that waits already: %v", err)
	}
	taken := all.take(10)
	if len(taken) != 10 || len(all.wait) != maxTouches-10 {
		t.Errorf("took %d", len(taken))
	}
	for key := range taken {
		if err := all.add(key, touch{deadline: 9}, flush); err != nil {
			t.Fatal(err)
		}
		break
	}
	all.putBack(taken)
	newer := 0
	for _, one := range all.wait {
		if one.deadline == 9 {
			newer++
		}
	}
	if len(all.wait) != maxTouches || newer != 1 {
		t.Errorf("%d wait, of the newer ones %d", len(all.wait), newer)
	}
}

// A store that is closed when its touches are about to be written writes each of them, and reports
// no error.
func TestCloseWhenTouchesAreDue(t *testing.T) {
	for i := range 200 {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			s := openTemp(t, Options{OnError: func(err error) { t.Error(err) }})
			save(t, s, "key", nil, []byte("one"))
			if err := s.Touch(t.Context(), "key", []byte("one"), 2*time.Hour); err != nil {
				t.Error(err)
			}
			time.Sleep(touchDelay + time.Duration(i%40-20)*20*time.Microsecond)
			closeStore(t, s)
			if left := ttl(t, openTemp(t, Options{Path: s.o.Path}), "key"); left <= time.Hour {
				t.Errorf("the session has %v left", left)
			}
		})
	}
}
