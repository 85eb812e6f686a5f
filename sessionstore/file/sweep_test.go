package file

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore/storetest"
)

func TestSweep(t *testing.T) {
	var c clock
	s := openTemp(t, Options{Now: c.now, sweepInterval: time.Millisecond, OnError: func(err error) { t.Error(err) }})
	for i := range 250 {
		save(t, s, fmt.Sprint("short", i), nil, []byte("one"), time.Minute)
	}
	for i := range 5 {
		save(t, s, fmt.Sprint("long", i), nil, []byte("one"), time.Hour)
	}
	if n := len(names(t, s.o.Dir)); n != 255 {
		t.Fatalf("%d files", n)
	}
	c.advance(2 * time.Minute)
	want(t, s, "short1", nil)
	eventually(t, "the expired ones are removed", func() bool { return len(names(t, s.o.Dir)) == 5 })
	want(t, s, "long1", []byte("one"))
}

// Sessions that have expired are counted, and not what else is kept.
func TestExpiredSessionsAreCounted(t *testing.T) {
	var c clock
	var expired atomic.Int64
	s := openTemp(t, Options{
		Now: c.now, sweepInterval: time.Millisecond, Threshold: 1000,
		OnError: func(err error) { t.Error(err) }, OnExpire: func() { expired.Add(1) },
	})
	records, sessions := storetest.Records(t)
	for i, value := range records {
		save(t, s, fmt.Sprint("key", i), nil, value, time.Minute)
	}
	c.advance(time.Hour)
	eventually(t, "the expired are gone, and counted", func() bool { return len(names(t, s.o.Dir)) == 0 && int(expired.Load()) >= sessions })
	if n := int(expired.Load()); n != sessions {
		t.Errorf("%d sessions have expired, want %d", n, sessions)
	}
}

// TestThreshold checks that there are never more sessions than the threshold, that used sessions
// stay, and that other files are unchanged.
func TestThreshold(t *testing.T) {
	for _, threshold := range []int{1, 2, 20, 100} {
		t.Run(fmt.Sprint(threshold), func(t *testing.T) {
			t.Parallel()
			var c clock
			var evicted atomic.Int64
			dir := t.TempDir()
			for i := range 5 {
				check(os.WriteFile(filepath.Join(dir, fmt.Sprint("note", i)), []byte("x"), 0o600))
			}
			before := openTemp(t, Options{Dir: dir, Now: c.now})
			for i := range threshold / 2 {
				save(t, before, fmt.Sprint("before", i), nil, []byte("one"), time.Minute)
			}
			s := openTemp(t, Options{Dir: dir, Now: c.now, Threshold: threshold, sweepInterval: time.Hour, OnEvict: func(n int) { evicted.Add(int64(n)) }})
			save(t, s, "used", nil, []byte("one"), 2*time.Hour)
			const n = 150
			for i := range n {
				save(t, s, fmt.Sprint("key", i), nil, []byte("one"), time.Hour+time.Duration(i)*time.Second)
				if threshold > 1 {
					want(t, s, "used", []byte("one"))
				}
				want(t, s, fmt.Sprint("key", i), []byte("one"))
				if n := len(names(t, dir)) - 5; n > threshold {
					t.Fatalf("%d sessions", n)
				}
			}
			// The sweeper may be evicting at this moment.
			eventually(t, "all are accounted for", func() bool {
				left := int64(len(names(t, dir)) - 5)
				return evicted.Load() == int64(threshold/2)+1+n-left && left >= int64(threshold-spareOf(threshold))
			})
		})
	}
}

func TestThresholdPrefersExpired(t *testing.T) {
	var c clock
	s := openTemp(t, Options{Now: c.now, Threshold: 10, sweepInterval: time.Hour, OnEvict: func(int) { t.Error("a live session was evicted") }})
	for i := range 9 {
		save(t, s, fmt.Sprint("key", i), nil, []byte("one"), time.Duration(i+1)*time.Minute)
	}
	c.advance(5 * time.Minute)
	for i := range 5 {
		save(t, s, fmt.Sprint("new", i), nil, []byte("one"), time.Hour)
	}
	want(t, s, "key5", []byte("one"))
}

// TestThresholdParallel creates and deletes sessions at once, with conflicts. The count must be
// right.
func TestThresholdParallel(t *testing.T) {
	const threshold = 30
	s := openTemp(t, Options{Threshold: threshold, sweepInterval: time.Millisecond})
	var all sync.WaitGroup
	for w := range 20 {
		all.Go(func() {
			for i := range 20 {
				key := fmt.Sprint("key", (w*7+i)%50)
				_, err := s.CompareAndSet(t.Context(), key, nil, fmt.Append(nil, w, i), time.Hour)
				if err == nil && i%3 == 0 {
					_, _ = s.CompareAndDelete(t.Context(), key, fmt.Append(nil, w, i))
				}
				n := 0
				for _, name := range names(t, s.o.Dir) {
					if name[0] != '.' {
						n++
					}
				}
				if n > threshold {
					t.Errorf("%d sessions", n)
				}
			}
		})
	}
	all.Wait()
	eventually(t, "all are counted right", func() bool {
		return len(names(t, s.o.Dir)) == s.census.now() && s.census.making == 0
	})
}

// TestTornHeader reads a file while a touch writes its header.
func TestTornHeader(t *testing.T) {
	s := openTemp(t, Options{})
	save(t, s, "key", nil, []byte("one"), time.Hour)
	stop := make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			if err := s.Touch(t.Context(), "key", []byte("one"), time.Hour+time.Duration(i)*time.Hour); err != nil {
				t.Error(err)
			}
		}
	})
	for range 2000 {
		want(t, s, "key", []byte("one"))
	}
	close(stop)
	all.Wait()

	// While the header is half written, readers wait for its writer.
	h, err := tryHold(s.path("key"))
	if err != nil {
		t.Fatal(err)
	}
	whole := h.header.append(nil)
	_, err = h.file.WriteAt([]byte{1, 2, 3}, 6)
	check(err)
	time.AfterFunc(20*time.Millisecond, func() {
		_, err := h.file.WriteAt(whole, 0)
		check(err)
		h.release()
	})
	want(t, s, "key", []byte("one"))
}
