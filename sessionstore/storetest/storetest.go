// Package storetest is the one suite that every [sessionstore.Store] passes. It
// tests the contract that is written there, and nothing that a store may choose.
package storetest

import (
	"sync"
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
	// its tests run in parallel; those that wait for time to pass come first, all
	// at once.
	Advance func(d time.Duration)

	// Tick is the unit of all times in the suite that pass: no deadline is looked
	// at from nearer than one tick. A store that keeps whole seconds needs a
	// second. Default: 1ms with Advance, 100ms without.
	Tick time.Duration

	// Keys is how many records there are at once where there are to be many. Default: 3000, and 1000
	// with -short.
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
	var waiting sync.WaitGroup
	for _, test := range tests {
		if parallel && test.waits {
			waiting.Go(func() { h.run(t, test, false) })
		}
	}
	waiting.Wait()
	for _, test := range tests {
		if !parallel || !test.waits {
			h.run(t, test, parallel)
		}
	}
}

// run runs one test on a store of its own.
func (h Harness) run(t *testing.T, test test, parallel bool) {
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

const (
	second = "second"
	reopen = "reopen"
)

type test struct {
	name  string
	needs string // second, reopen or nothing
	waits bool   // for times to live to pass, which takes long where Tick is
	run   func(c *checker)
}

// tests are run in this order: what the later ones rely on comes first.
var tests = []test{
	{"get of nothing", "", false, getOfNothing},
	{"create", "", false, create},
	{"create what exists", "", false, createWhatExists},
	{"replace", "", false, replace},
	{"replace what has changed", "", false, replaceWhatHasChanged},
	{"replace nothing", "", false, replaceNothing},
	{"repeat a save whose answer was lost", "", false, repeatSave},
	{"delete", "", false, deleteRecord},
	{"delete what has changed", "", false, deleteWhatHasChanged},
	{"delete nothing", "", false, deleteNothing},
	{"no return from the dead", "", false, noReturn},
	{"errors name neither keys nor values", "", false, discreetErrors},

	{"keys", "", false, keys},
	{"values", "", false, values},
	{"an empty value is not none", "", false, emptyValue},
	{"values are compared byte by byte", "", false, comparesAllBytes},
	{"what was returned stays as it is", "", false, returnedValuesStay},
	{"thousands of keys", "", false, thousandsOfKeys},

	{"times to live", "", true, timesToLive},
	{"expiry", "", true, expiry},
	{"an expired record is created anew", "", true, expiredCreate},
	{"an expired record is not replaced", "", true, expiredReplace},
	{"an expired record is not deleted but gone", "", true, expiredDelete},
	{"an expired record is not touched", "", true, expiredTouch},
	{"a save sets the time to live", "", true, saveSetsTTL},

	{"touch extends", "", true, touchExtends},
	{"touch shortens", "", true, touchShortens},
	{"touch of what has changed", "", true, touchWhatHasChanged},
	{"touch of nothing", "", false, touchNothing},
	{"touch changes no data", "", false, touchKeepsData},

	{"no lost updates", "", false, noLostUpdates},
	{"one creates", "", false, oneCreates},
	{"delete or replace", "", false, deleteOrReplace},
	{"regenerate or destroy", "", false, regenerateOrDestroy},
	{"two regenerates", "", false, twoRegenerates},
	{"regenerate and changes", "", false, regenerateAndChanges},

	{"an ended context", "", false, endedContext},
	{"contexts that end under way", "", false, endingContexts},

	{"two handles see the same", second, true, twoHandles},
	{"two handles lose no updates", second, false, twoHandlesNoLostUpdates},
	{"what was answered is there after closing", reopen, false, survivesClosing},
}
