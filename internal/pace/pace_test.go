package pace

import (
	"testing"
	"time"
)

func TestTheClockStopsWhileTheProcessDoesNotRun(t *testing.T) {
	var c clock
	var now time.Duration
	pass := func(d time.Duration) time.Duration {
		now += d
		return c.look(now)
	}
	for i := range 100 {
		if got, want := pass(beat), time.Duration(i+1)*beat; got != want {
			t.Fatalf("it ran %v, want %v", got, want)
		}
	}
	before := pass(0)
	if got := pass(late) - before; got != late {
		t.Errorf("the machine is busy: %v, want %v", got, late)
	}
	before = pass(0)
	if got := pass(2*time.Second) - before; got != beat {
		t.Errorf("the machine stood still: %v, want %v", got, beat)
	}
	if got := c.look(now - time.Second); got != pass(0) {
		t.Errorf("a late look: %v", got)
	}
}

func TestRan(t *testing.T) {
	first := Ran()
	time.Sleep(10 * beat)
	if got := Ran() - first; got <= 0 {
		t.Errorf("the clock does not move: %v", got)
	}
}
