package combiner

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const gather = time.Millisecond

// Callers return at once; some always wait while the others are in a batch.
func TestReturningCallersShareABatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sizes []int
		c := NewDetached(0, gather, func(batch []int) {
			sizes = append(sizes, len(batch))
			time.Sleep(gather / 2)
		})
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				for range 20 {
					time.Sleep(gather / 100)
					_ = c.Do(t.Context(), 0)
				}
			})
		}
		all.Wait()
		// The first arrives alone, so the last batch has one less.
		if slices.Min(sizes[1:len(sizes)-1]) != 10 {
			t.Errorf("batches of %v, want all 10 in each", sizes)
		}
	})
}

func TestSingleCallerNeverWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewDetached(0, gather, func([]int) {})
		start := time.Now()
		for i := range 100 {
			_ = c.Do(t.Context(), i)
		}
		if d := time.Since(start); d != 0 {
			t.Errorf("waited %v", d)
		}
	})
}

func TestGatheringEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		c := NewDetached(0, gather, g.run)
		do(t.Context(), c, 0)
		for i := range 5 {
			do(t.Context(), c, i)
		}
		g.next <- struct{}{}
		g.next <- struct{}{} // the first caller does not return; the other five have waited for it
		synctest.Wait()

		// One of five callers returns.
		start := time.Now()
		last := do(t.Context(), c, 9)
		g.next <- struct{}{}
		if err := <-last; err != nil {
			t.Error(err)
		}
		if d := time.Since(start); d != gather {
			t.Errorf("waited %v for others, want %v", d, gather)
		}
		want := [][]int{{0}, {0, 1, 2, 3, 4}, {9}}
		if !slices.EqualFunc(g.batches, want, slices.Equal[[]int]) {
			t.Errorf("batches %v, want %v", g.batches, want)
		}
	})
}

func TestNoWaitAfterALongPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewDetached(0, gather, func([]int) { time.Sleep(gather) })
		do(t.Context(), c, 0)
		for i := range 5 {
			do(t.Context(), c, i)
		}
		// One batch, the time in which the first caller could have returned, then the other batch.
		time.Sleep(3*gather + gather/2)
		start := time.Now()
		_ = c.Do(t.Context(), 1)
		if d := time.Since(start); d != gather/2+gather {
			t.Errorf("took %v, want the rest of the wait and the batch", d)
		}
		parallel(5, func(i int) { _ = c.Do(t.Context(), i) })
		time.Sleep(time.Hour)
		start = time.Now()
		_ = c.Do(t.Context(), 1)
		if d := time.Since(start); d != gather {
			t.Errorf("took %v, want no waiting", d)
		}
	})
}

func TestFullBatchDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewDetached(2, time.Hour, func([]int) { time.Sleep(gather) })
		start := time.Now()
		parallel(9, func(i int) { _ = c.Do(t.Context(), i) })
		// Five batches. Only before the last is there a wait, for the missing caller.
		if d := time.Since(start); d > time.Hour+5*gather {
			t.Errorf("took %v", d)
		}
	})
}

func parallel(n int, f func(i int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { f(i) })
	}
	all.Wait()
}
