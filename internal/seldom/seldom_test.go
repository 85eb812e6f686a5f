package seldom

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestWarning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var warnings atomic.Int32
		var w Warning
		for _, step := range []struct {
			after time.Duration
			want  int32
		}{{0, 1}, {interval - 1, 1}, {1, 2}, {1, 2}, {time.Hour, 3}} {
			time.Sleep(step.after)
			var all sync.WaitGroup
			for range 50 {
				all.Go(func() {
					if w.Due() {
						warnings.Add(1)
					}
				})
			}
			all.Wait()
			if n := warnings.Load(); n != step.want {
				t.Errorf("%v later: %d warnings, want %d", step.after, n, step.want)
			}
		}
	})
}

// A warning is logged although the clock was set back by a day since the last one.
func TestWarningAfterTheClockWasSetBack(t *testing.T) {
	var w Warning
	w.next.Store(time.Now().Add(24*time.Hour + interval).UnixNano())
	if !w.Due() || w.Due() {
		t.Error("it is not due once")
	}
}
