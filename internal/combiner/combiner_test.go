package combiner

import (
	"context"
	"errors"
	"maps"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// modes are the two kinds of combiner. A test of both must not depend on their differences.
var modes = map[string]func(max int, run func([]int)) *Combiner[int]{
	"led":      New[int],
	"detached": func(max int, run func([]int)) *Combiner[int] { return NewDetached(max, 0, run) },
}

// each runs f for both modes in a synctest bubble.
func each(t *testing.T, f func(t *testing.T, make func(max int, run func([]int)) *Combiner[int])) {
	for name, mode := range modes {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { f(t, mode) })
		})
	}
}

// gate is a run function that records its batches and blocks until next.
type gate struct {
	batches [][]int
	next    chan struct{}
}

func newGate() *gate { return &gate{next: make(chan struct{})} }

func (g *gate) run(batch []int) {
	g.batches = append(g.batches, slices.Clone(batch))
	<-g.next
}

// do calls Do in a goroutine and returns a channel for its error.
func do(ctx context.Context, c *Combiner[int], item int) <-chan error {
	done := make(chan error, 1)
	go func() { done <- c.Do(ctx, item) }()
	synctest.Wait()
	return done
}

func pending(done <-chan error) bool {
	synctest.Wait()
	return len(done) == 0
}

func TestBatchesGrowWhileOneRuns(t *testing.T) {
	each(t, func(t *testing.T, make func(int, func([]int)) *Combiner[int]) {
		g := newGate()
		c := make(3, g.run)
		var done []<-chan error
		for i := range 8 {
			done = append(done, do(t.Context(), c, i))
		}
		for range 4 {
			g.next <- struct{}{}
			synctest.Wait()
		}
		for i, d := range done {
			if err := <-d; err != nil {
				t.Errorf("item %d: %v", i, err)
			}
		}
		want := [][]int{{0}, {1, 2, 3}, {4, 5, 6}, {7}}
		if !slices.EqualFunc(g.batches, want, slices.Equal[[]int]) {
			t.Errorf("batches %v, want %v", g.batches, want)
		}
	})
}

func TestNoLimit(t *testing.T) {
	each(t, func(t *testing.T, make func(int, func([]int)) *Combiner[int]) {
		g := newGate()
		c := make(0, g.run)
		for i := range 1000 {
			do(t.Context(), c, i)
		}
		g.next <- struct{}{}
		g.next <- struct{}{}
		synctest.Wait()
		if len(g.batches) != 2 || len(g.batches[1]) != 999 {
			t.Errorf("%d batches", len(g.batches))
		}
	})
}

func TestALeaderRunsOneBatchOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		c := New(1, g.run)
		first := do(t.Context(), c, 1)
		second := do(t.Context(), c, 2)
		third := do(t.Context(), c, 3)
		g.next <- struct{}{}
		if pending(first) || !pending(second) || !pending(third) {
			t.Error("only the first leader must return after its own batch")
		}
		g.next <- struct{}{}
		g.next <- struct{}{}
		synctest.Wait()
	})
}

func TestCallerLeavingTheQueueIsNotRun(t *testing.T) {
	each(t, func(t *testing.T, make func(int, func([]int)) *Combiner[int]) {
		g := newGate()
		c := make(0, g.run)
		do(t.Context(), c, 0)
		ctx, cancel := context.WithCancel(t.Context())
		var gone []<-chan error
		for i := 1; i < 10; i++ { // odd items leave: the first, the last and some in between
			if i%2 == 1 {
				gone = append(gone, do(ctx, c, i))
			} else {
				do(t.Context(), c, i)
			}
		}
		cancel()
		for _, d := range gone {
			if pending(d) {
				t.Fatal("still waiting after its context has ended")
			}
			if err := <-d; !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
		}
		g.next <- struct{}{}
		g.next <- struct{}{}
		synctest.Wait()
		want := [][]int{{0}, {2, 4, 6, 8}}
		if !slices.EqualFunc(g.batches, want, slices.Equal[[]int]) {
			t.Errorf("batches %v, want %v", g.batches, want)
		}
	})
}

func TestAllCallersLeaveTheQueue(t *testing.T) {
	each(t, func(t *testing.T, make func(int, func([]int)) *Combiner[int]) {
		g := newGate()
		c := make(0, g.run)
		do(t.Context(), c, 0)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for i := range 5 {
			do(ctx, c, i)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		g.next <- struct{}{}
		synctest.Wait()
		last := do(t.Context(), c, 9)
		g.next <- struct{}{}
		if pending(last) || len(g.batches) != 2 {
			t.Errorf("batches %v: the combiner must be free again", g.batches)
		}
	})
}

func TestCallerLeavingABatchReturnsAtOnce(t *testing.T) {
	each(t, func(t *testing.T, make func(int, func([]int)) *Combiner[int]) {
		g := newGate()
		c := make(0, g.run)
		do(t.Context(), c, 0)
		stays := do(t.Context(), c, 1)
		ctx, cancel := context.WithCancel(t.Context())
		leaves := do(ctx, c, 2)
		g.next <- struct{}{}
		synctest.Wait() // 1 and 2 are running
		cancel()
		if pending(leaves) {
			t.Fatal("still waiting after its context has ended")
		}
		if err := <-leaves; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		g.next <- struct{}{}
		if err := <-stays; err != nil {
			t.Error(err)
		}
		if !slices.Equal(g.batches[1], []int{1, 2}) {
			t.Errorf("batches %v", g.batches)
		}
	})
}

func TestDetachedFirstCallerReturnsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		c := NewDetached(0, 0, g.run)
		ctx, cancel := context.WithCancel(t.Context())
		first := do(ctx, c, 0)
		cancel()
		if pending(first) {
			t.Fatal("still waiting after its context has ended")
		}
		g.next <- struct{}{}
		synctest.Wait()
	})
}

func TestLeavingLeaderPassesTheLeadOn(t *testing.T) {
	// The waiter is told to lead and its context ends before it looks at either.
	for range 200 { // select may take either first
		synctest.Test(t, func(t *testing.T) {
			g := newGate()
			c := New(0, g.run)
			do(t.Context(), c, 0)
			ctx, cancel := context.WithCancel(t.Context())
			leaves := do(ctx, c, 1)
			stays := do(t.Context(), c, 2)

			c.mu.Lock()
			g.next <- struct{}{}
			cancel()
			c.mu.Unlock()
			synctest.Wait()
			g.next <- struct{}{}
			if pending(stays) || pending(leaves) {
				t.Fatal("a caller still waits")
			}
			ran := slices.Concat(g.batches...)
			if err := <-leaves; err == nil == !slices.Contains(ran, 1) {
				t.Fatalf("error %v, but ran %v", err, ran)
			}
		})
	}
}

func TestAnEndedContextRunsNothing(t *testing.T) {
	each(t, func(t *testing.T, make func(int, func([]int)) *Combiner[int]) {
		c := make(0, func([]int) { t.Error("run") })
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := c.Do(ctx, 1); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

func TestDoneBeatsCancelled(t *testing.T) {
	// The result of a finished batch counts, even if the caller's context has ended too.
	for range 100 {
		synctest.Test(t, func(t *testing.T) {
			c := NewDetached(0, 0, func([]int) {})
			w := &waiter[int]{wake: make(chan error, 1), taken: true}
			w.wake <- nil
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if err := c.wait(ctx, w); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestPanic(t *testing.T) {
	each(t, func(t *testing.T, make func(int, func([]int)) *Combiner[int]) {
		cause := errors.New("broken")
		next := ""
		g := newGate()
		c := make(0, func(batch []int) {
			g.run(batch)
			switch next {
			case "panic":
				panic(cause)
			case "exit":
				runtime.Goexit()
			}
		})
		for _, next = range []string{"panic", "exit"} {
			var errs []<-chan error
			for i := range 3 {
				errs = append(errs, goDo(t.Context(), c, i))
			}
			for range 2 {
				g.next <- struct{}{}
				synctest.Wait()
			}
			for i, d := range errs {
				var panicked *panicError
				switch err, returned := <-d; {
				case next == "panic" && (!errors.As(err, &panicked) || !errors.Is(err, cause)):
					t.Errorf("panic, item %d: %v", i, err)
				case next == "exit" && returned && !errors.Is(err, errExited):
					t.Errorf("exit, item %d: %v", i, err)
				}
			}
		}
		next = ""
		d := goDo(t.Context(), c, 9)
		g.next <- struct{}{}
		if err := <-d; err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
}

// goDo is do for a Do that may end its goroutine.
func goDo(ctx context.Context, c *Combiner[int], item int) <-chan error {
	done := make(chan error, 1)
	go func() {
		defer close(done)
		done <- c.Do(ctx, item)
	}()
	synctest.Wait()
	return done
}

func TestPanicWithNonError(t *testing.T) {
	c := New(0, func([]int) { panic("no error") })
	err := c.Do(t.Context(), 1)
	if err == nil || errors.Unwrap(err) != nil || err.Error() != "running the batch panicked: no error" {
		t.Errorf("got %v", err)
	}
}

func TestBatchIsReleased(t *testing.T) {
	c := New(0, func([]*int) {})
	_ = c.Do(t.Context(), new(int))
	if c.batch[:1][0] != nil {
		t.Error("an item that has been run is still referenced")
	}
}

// Goroutines arrive, give up and panic at random. Every item runs once or never, as its error says.
func TestStorm(t *testing.T) {
	storms := maps.Clone(modes)
	storms["gathering"] = func(max int, run func([]int)) *Combiner[int] { return NewDetached(max, time.Millisecond, run) }
	for name, mode := range storms {
		t.Run(name, func(t *testing.T) {
			const items = 20000
			var mu sync.Mutex
			running, ran := 0, make([]int, items)
			c := mode(7, func(batch []int) {
				mu.Lock()
				defer mu.Unlock()
				running++
				if running != 1 || len(batch) < 1 || len(batch) > 7 {
					t.Errorf("%d batches at once, of %d", running, len(batch))
				}
				for _, i := range batch {
					ran[i]++
				}
				mu.Unlock()
				runtime.Gosched()
				mu.Lock()
				running--
				if batch[0]%97 == 0 {
					panic("now and then")
				}
			})
			errs := make([]error, items)
			var all sync.WaitGroup
			for g := range 50 {
				all.Go(func() {
					for i := g; i < items; i += 50 {
						ctx, cancel := context.WithCancel(t.Context())
						if i%3 == 0 {
							go cancel()
						}
						errs[i] = c.Do(ctx, i)
						cancel()
					}
				})
			}
			all.Wait()
			if name != "led" {
				// wait until the last batch has no more waiters
				for idle := false; !idle; runtime.Gosched() {
					c.mu.Lock()
					idle = !c.busy
					c.mu.Unlock()
				}
			}
			var panicked *panicError
			for i, err := range errs {
				switch {
				case err == nil && ran[i] != 1,
					errors.As(err, &panicked) && ran[i] != 1,
					errors.Is(err, context.Canceled) && ran[i] > 1:
					t.Errorf("item %d ran %d times, error %v", i, ran[i], err)
				}
			}
			if c.busy || c.waiting.first != nil || c.waiting.last != nil {
				t.Error("the combiner is not empty")
			}
		})
	}
}

func TestAloneAllocatesNothing(t *testing.T) {
	sum := 0
	c := New(16, func(batch []*int) { sum += *batch[0] })
	item := new(int)
	if n := testing.AllocsPerRun(1000, func() { _ = c.Do(t.Context(), item) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
