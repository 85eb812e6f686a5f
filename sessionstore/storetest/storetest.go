// Package storetest is the one suite that every [sessionstore.Store] passes. It
// tests the contract that is written there, and nothing that a store may choose.
package storetest

import (
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// Harness tells the suite how to get at the store under test.
type Harness struct {
	// New returns an empty store. The suite closes it. Without Advance it is
	// called by several tests at once.
	New func(t *testing.T) sessionstore.Store

	// Second returns another handle on the data of s, which stays open; the suite
	// closes it. Nil: the tests with two handles are skipped.
	Second func(t *testing.T, s sessionstore.Store) sessionstore.Store

	// Reopen is called after s has been closed and returns a store with the same
	// data; the suite closes it. Nil: the store promises no durability.
	Reopen func(t *testing.T, s sessionstore.Store) sessionstore.Store

	// Advance moves the clock of all stores forward. Nil: the suite sleeps, and
	// its tests run in parallel.
	Advance func(d time.Duration)

	// Tick is the unit of all times in the suite that pass: no deadline is looked
	// at from nearer than one tick. A store that keeps whole seconds needs a
	// second. Default: 1ms with Advance, 100ms without.
	Tick time.Duration

	// Keys is how many records there are at once where there are to be many. Default: 3000, and 1000 with -short.
	Keys int
}

// Run runs the suite.
func Run(t *testing.T, h Harness) {
	parallel := h.Advance == nil
	if h.Tick == 0 {
		h.Tick = time.Millisecond
		if parallel {
			h.Tick = 100 * time.Millisecond
		}
	}
	if parallel {
		h.Advance = time.Sleep
	}
	if h.Keys == 0 {
		h.Keys = 3000
		if testing.Short() {
			h.Keys = 1000
		}
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			switch {
			case test.needs == second && h.Second == nil:
				t.Skip("no second handle")
			case test.needs == reopen && h.Reopen == nil:
				t.Skip("not durable")
			}
			if parallel {
				t.Parallel()
			}
			s := h.New(t)
			c := &checker{T: t, Harness: h, store: s}
			t.Cleanup(func() { c.close(c.store) })
			test.run(c)
		})
	}
}

const (
	second = "second"
	reopen = "reopen"
)

// tests are run in this order: what the later ones rely on comes first.
var tests = []struct {
	name  string
	needs string
	run   func(c *checker)
}{
	{"get of nothing", "", getOfNothing},
	{"create", "", create},
	{"create what exists", "", createWhatExists},
	{"replace", "", replace},
	{"replace what has changed", "", replaceWhatHasChanged},
	{"replace nothing", "", replaceNothing},
	{"repeat a save whose answer was lost", "", repeatSave},
	{"delete", "", deleteRecord},
	{"delete what has changed", "", deleteWhatHasChanged},
	{"delete nothing", "", deleteNothing},
	{"no return from the dead", "", noReturn},
	{"errors name neither keys nor values", "", discreetErrors},

	{"keys", "", keys},
	{"values", "", values},
	{"an empty value is not none", "", emptyValue},
	{"values are compared byte by byte", "", comparesAllBytes},
	{"what was returned stays as it is", "", returnedValuesStay},
	{"thousands of keys", "", thousandsOfKeys},

	{"times to live", "", timesToLive},
	{"expiry", "", expiry},
	{"an expired record is created anew", "", expiredCreate},
	{"an expired record is not replaced", "", expiredReplace},
	{"an expired record is not deleted but gone", "", expiredDelete},
	{"an expired record is not touched", "", expiredTouch},
	{"a save sets the time to live", "", saveSetsTTL},

	{"touch extends", "", touchExtends},
	{"touch shortens", "", touchShortens},
	{"touch of what has changed", "", touchWhatHasChanged},
	{"touch of nothing", "", touchNothing},
	{"touch changes no data", "", touchKeepsData},

	{"no lost updates", "", noLostUpdates},
	{"one creates", "", oneCreates},
	{"delete or replace", "", deleteOrReplace},

	{"an ended context", "", endedContext},
	{"contexts that end under way", "", endingContexts},

	{"two handles see the same", second, twoHandles},
	{"two handles lose no updates", second, twoHandlesNoLostUpdates},
	{"what was answered is there after closing", reopen, survivesClosing},
}
