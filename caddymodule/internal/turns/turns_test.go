package turns

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// take takes a turn that must be free at once.
func take(t *testing.T, table *Table, key string) *Turn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	turn, _, err := table.Take(ctx, key, 0)
	if err != nil {
		t.Fatalf("%s is taken", key)
	}
	return turn
}

// taken checks that a turn must be waited for.
func taken(t *testing.T, table *Table, key string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, _, err := table.Take(ctx, key, 0); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%s is free: %v", key, err)
	}
}

// empty checks that nothing is left of the sessions with these keys: nobody has a lock, or waits.
func (t *Table) empty(tb testing.TB, keys ...string) {
	tb.Helper()
	for _, key := range keys {
		if !t.locks.TryLock(key) {
			tb.Errorf("left: %s", key)
		}
	}
}

// Requests of one session run in the order in which they came, beside those of others.
func TestOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var table Table
		first := take(t, &table, "a")
		other := take(t, &table, "b")
		var order []int
		for i := range 5 {
			go func() {
				turn, fresh, err := table.Take(t.Context(), "a", table.Given())
				if fresh || err != nil {
					t.Errorf("it has not waited: %v", err)
				}
				order = append(order, i)
				time.Sleep(time.Second)
				turn.Give()
				turn.Give()
			}()
			synctest.Wait()
		}
		first.Give()
		other.Give()
		time.Sleep(time.Minute)
		synctest.Wait()
		if !slices.Equal(order, []int{0, 1, 2, 3, 4}) {
			t.Errorf("the order is %v", order)
		}
		table.empty(t, "a", "b")
	})
}

// Who has given up does not keep others waiting.
func TestGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var table Table
		first := take(t, &table, "a")
		taken(t, &table, "a")
		first.Give()
		take(t, &table, "a").Give()
		table.empty(t, "a")
	})
}

// Whoever waits with the old id, which an attacker may have planted, keeps nobody with the new one
// waiting.
func TestAttackTurnsOfAnOldID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var table Table
		login := take(t, &table, "old")
		attacker := make(chan *Turn)
		go func() {
			turn, _, _ := table.Take(t.Context(), "old", 0)
			attacker <- turn
		}()
		synctest.Wait()
		login.Also("new")
		login.Give()
		slow := <-attacker
		take(t, &table, "new").Give()
		slow.Give()
		table.empty(t, "old", "new")
	})
}

// A new id is in the same turn as the old one, for all who wait.
func TestNewID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var table Table
		first := take(t, &table, "old")
		first.Also("new")
		first.Also("new")
		if !first.Is("old") || !first.Is("new") || first.Is("") {
			t.Error("the turn is not of both")
		}
		taken(t, &table, "new")
		taken(t, &table, "old")
		first.Give()
		first.Also("later")
		take(t, &table, "new").Give()
		table.empty(t, "old", "new", "later")
	})
}

// A turn ends by itself in time, and not before.
func TestGiveWithin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var table Table
		first := take(t, &table, "a")
		first.GiveWithin(time.Second)
		time.Sleep(time.Second - time.Nanosecond)
		if !first.Is("a") {
			t.Error("it has ended before its time")
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		take(t, &table, "a").Give()
		first.Give()
		table.empty(t, "a")
	})
}

// What was loaded before another turn has ended is not fresh.
func TestFresh(t *testing.T) {
	var table Table
	since := table.Given()
	turn, fresh, _ := table.Take(t.Context(), "a", since)
	if !fresh {
		t.Error("nobody else was there")
	}
	turn.Give()
	if turn, fresh, _ = table.Take(t.Context(), "a", since); fresh {
		t.Error("another was there")
	}
	turn.Give()
	var none *Turn
	none.Give()
	none.Also("a")
	none.GiveWithin(time.Second)
	if none.Is("") {
		t.Error("no turn is of a session")
	}
}
