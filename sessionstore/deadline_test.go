package sessionstore_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
)

type contextKey struct{}

func TestADeadlineEndsAtItsTime(t *testing.T) {
	for name, c := range map[string]struct{ waits, endless bool }{
		"somebody waits": {true, false}, "nobody waits": {false, false},
		"somebody waits, under one without an end": {true, true}, "nobody waits, under one without an end": {false, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				at := time.Now().Add(time.Second)
				parent := t.Context()
				if c.endless {
					parent = context.WithoutCancel(parent)
				}
				ctx, stop := sessionstore.NewDeadline(parent, at)
				defer stop()
				if c.waits {
					if ctx.Done() != ctx.Done() {
						t.Error("two channels")
					}
				}
				if d, ok := ctx.Deadline(); !ok || !d.Equal(at) {
					t.Errorf("deadline %v, %t", d, ok)
				}
				time.Sleep(time.Second - 1)
				synctest.Wait()
				if err := ctx.Err(); err != nil {
					t.Errorf("early: %v", err)
				}
				time.Sleep(1)
				synctest.Wait()
				if err := ctx.Err(); err != context.DeadlineExceeded {
					t.Errorf("in time: %v", err)
				}
				select {
				case <-ctx.Done():
				default:
					t.Error("not done")
				}
				if err := ctx.Err(); err != context.DeadlineExceeded {
					t.Errorf("afterwards: %v", err)
				}
			})
		})
	}
}

func TestADeadlineEndsWithItsParent(t *testing.T) {
	for name, waits := range map[string]bool{"somebody waits": true, "nobody waits": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				parent, cancel := context.WithCancel(t.Context())
				ctx, stop := sessionstore.NewDeadline(parent, time.Now().Add(time.Second))
				defer stop()
				if waits {
					ctx.Done()
				}
				cancel()
				synctest.Wait()
				if err := ctx.Err(); err != context.Canceled {
					t.Errorf("%v", err)
				}
				<-ctx.Done()
				time.Sleep(2 * time.Second)
				if err := ctx.Err(); err != context.Canceled {
					t.Errorf("it ended twice: %v", err)
				}
			})
		})
	}
}

// TestADeadlineEndsOnce: successive calls of Err return the same, as the interface says.
func TestADeadlineEndsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parent, cancel := context.WithCancel(t.Context())
		ctx, stop := sessionstore.NewDeadline(parent, time.Now().Add(time.Second))
		defer stop()
		time.Sleep(time.Second)
		if err := ctx.Err(); err != context.DeadlineExceeded {
			t.Errorf("%v", err)
		}
		cancel()
		if err := ctx.Err(); err != context.DeadlineExceeded {
			t.Errorf("it ended again: %v", err)
		}
		<-ctx.Done()
		if err := ctx.Err(); err != context.DeadlineExceeded {
			t.Errorf("it ended a third time: %v", err)
		}
	})
}

func TestTheEarlierDeadlineHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		soon, later := time.Now().Add(time.Second), time.Now().Add(time.Minute)
		for name, c := range map[string]struct{ parent, own time.Time }{
			"the parent's": {soon, later},
			"its own":      {later, soon},
		} {
			parent, cancel := context.WithDeadline(t.Context(), c.parent)
			ctx, stop := sessionstore.NewDeadline(parent, c.own)
			if d, ok := ctx.Deadline(); !ok || !d.Equal(soon) {
				t.Errorf("%s: %v", name, d)
			}
			stop()
			cancel()
		}
	})
}

func TestADeadlinePassesValuesAndEndsItsChildren(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, parent := range []context.Context{t.Context(), context.Background()} {
			ctx, stop := sessionstore.NewDeadline(context.WithValue(parent, contextKey{}, 7), time.Now().Add(time.Second))
			defer stop()
			if ctx.Value(contextKey{}) != 7 {
				t.Error("the value is lost")
			}
			child, cancel := context.WithTimeout(ctx, time.Minute)
			defer cancel()
			start := time.Now()
			<-child.Done()
			if time.Since(start) != time.Second || !errors.Is(child.Err(), context.DeadlineExceeded) {
				t.Errorf("after %v: %v", time.Since(start), child.Err())
			}
		}
	})
}

func TestStopEndsWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, parent := range []context.Context{t.Context(), context.Background()} {
			ctx, stop := sessionstore.NewDeadline(parent, time.Now().Add(time.Hour))
			done := ctx.Done()
			stop()
			<-done
			if ctx.Err() == nil {
				t.Error("no error")
			}
			stop()
		}
	})
}
