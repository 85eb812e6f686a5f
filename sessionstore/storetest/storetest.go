// Package storetest is the test suite for all implementations of [sessionstore.Store]. It tests the
// contract of that interface and nothing else.
package storetest

import (
	"sync"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/internal/longtest"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// Harness gives the suite access to the store under test.
type Harness struct {
	// New returns an empty store. The suite closes it. Without Advance, several tests call New
	// concurrently.
	New func(t *testing.T) sessionstore.Store

	// Second returns another handle on the data of s, which stays open. The suite closes it. Nil
	// skips the tests with two handles.
	Second func(t *testing.T, s sessionstore.Store) sessionstore.Store

	// Reopen returns a store with the data of s, which has been closed. The suite closes it. Nil
	// means that the store is not durable.
	Reopen func(t *testing.T, s sessionstore.Store) sessionstore.Store

	// Advance moves the clock of all stores forward. If it is nil, the suite sleeps and runs its
	// tests in parallel, those that wait for time to pass first.
	Advance func(d time.Duration)

	// Tick is the unit of time in the suite. Every check keeps a distance of at least one tick from
	// a deadline. A store with a resolution of seconds needs one second. Default: 1 ms with
	// Advance, 200 ms without.
	Tick time.Duration

	// Keys is the number of records in the tests with many records. Default: 1000, or 3000 with
	// SESSION_TEST=all in the environment or CI=true, which also let the races take longer.
	Keys int
}

// Run runs the suite.
func Run(t *testing.T, h Harness) {
	parallel := h.Advance == nil
	if h.Tick == 0 {
		h.Tick = time.Millisecond
		if parallel {
			h.Tick = 200 * time.Millisecond
		}
	}
	if parallel {
		h.Advance = time.Sleep
	}
	if h.Keys == 0 {
		h.Keys = 1000
		if longtest.All() {
			h.Keys = 3000
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
		if _, can := s.(sessionstore.Walker); test.needs == walks && !can {
			t.Skip("no walks")
		}
		test.run(c)
	})
}

const (
	second = "second"
	reopen = "reopen"
	walks  = "walks"
)

type test struct {
	name  string
	needs string // second, reopen, walks or empty
	waits bool   // the test waits for time to pass, which is slow with a long Tick
	run   func(c *checker)
}

// tests run in this order: a test may rely on what an earlier one checks.
var tests = []test{
	{"get without a record", "", false, getNothing},
	{"create", "", false, create},
	{"create over a record", "", false, createWhatExists},
	{"replace", "", false, replace},
	{"replace after a change", "", false, replaceWhatHasChanged},
	{"replace without a record", "", false, replaceNothing},
	{"repeat a save whose reply was lost", "", false, repeatSave},
	{"delete", "", false, deleteRecord},
	{"delete after a change", "", false, deleteWhatHasChanged},
	{"delete without a record", "", false, deleteNothing},
	{"a deleted record does not come back", "", false, noReturn},
	{"errors contain neither keys nor values", "", false, secretFreeErrors},

	{"keys", "", false, keys},
	{"values", "", false, values},
	{"an empty value is a record", "", false, emptyValue},
	{"values are compared byte by byte", "", false, comparesAllBytes},
	{"returned values never change", "", false, returnedValuesStay},
	{"thousands of keys", "", false, thousandsOfKeys},

	{"times to live", "", true, timesToLive},
	{"longest time to live", "", false, longestTimeToLive},
	{"expiry", "", true, expiry},
	{"create over an expired record", "", true, expiredCreate},
	{"an expired record is not replaced", "", true, expiredReplace},
	{"deleting an expired record succeeds", "", true, expiredDelete},
	{"an expired record is not touched", "", true, expiredTouch},
	{"a save sets the time to live", "", true, saveSetsTTL},

	{"touch extends", "", true, touchExtends},
	{"touch shortens", "", true, touchShortens},
	{"touch after a change", "", true, touchWhatHasChanged},
	{"touch without a record", "", false, touchNothing},
	{"touch changes no data", "", false, touchKeepsData},

	{"no lost updates", "", false, noLostUpdates},
	{"one of several creates wins", "", false, oneCreates},
	{"delete or replace", "", false, deleteOrReplace},
	{"regenerate or destroy", "", false, regenerateOrDestroy},
	{"two regenerates", "", false, twoRegenerates},
	{"regenerate and changes", "", false, regenerateAndChanges},

	{"the sessions of a user", "", false, sessionsOfAUser},
	{"end all or regenerate", "", false, endAllOrRegenerate},
	{"a user who logs in all the time", "", false, busyUser},

	{"a context that has ended", "", false, endedContext},
	{"contexts that end during an operation", "", false, endingContexts},

	{"a walk without records", walks, false, walkNothing},
	{"a walk gives every record", walks, false, walkAll},
	{"a walk through large records", walks, false, walkLarge},
	{"a walk gives no expired record", walks, true, walkExpired},
	{"a walk while others write", walks, false, walkUnderWrites},
	{"a walk with a context that has ended", walks, false, walkEnded},

	{"two handles see the same", second, true, twoHandles},
	{"two handles lose no updates", second, false, twoHandlesNoLostUpdates},
	{"confirmed writes survive closing", reopen, false, survivesClosing},
}
