package stores

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestSparingly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var warnings int
		warn := Sparingly(func() {
			mu.Lock()
			defer mu.Unlock()
			warnings++
		})
		for _, step := range []struct {
			after time.Duration
			want  int
		}{{0, 1}, {warnEvery - 1, 1}, {1, 2}, {1, 2}, {time.Hour, 3}} {
			time.Sleep(step.after)
			var all sync.WaitGroup
			for range 50 {
				all.Go(warn)
			}
			all.Wait()
			if warnings != step.want {
				t.Errorf("%v later: %d warnings, want %d", step.after, warnings, step.want)
			}
		}
	})
}
