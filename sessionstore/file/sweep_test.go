package file

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
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
			counted(t, s)
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
	counted(t, s)
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
	counted(t, s)
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

// counted returns when the store knows how many sessions there are. Until then there may be more
// than the threshold.
func counted(t *testing.T, s *Store) {
	t.Helper()
	check(s.makeRoom(t.Context()))
}

// TestNoRequestCountsTheFiles creates a session after a restart with more sessions than the
// threshold. Reading all files may take minutes, so the request does not wait for that: the sweeper
// reads them, and then evicts.
func TestNoRequestCountsTheFiles(t *testing.T) {
	const threshold = 20
	dir := t.TempDir()
	before := openTemp(t, Options{Dir: dir})
	for i := range 2 * threshold {
		save(t, before, fmt.Sprint("before", i), nil, []byte("one"), time.Hour)
	}
	evicts, goOn := make(chan int, 100), make(chan struct{})
	s := openTemp(t, Options{Dir: dir, Threshold: threshold, sweepInterval: time.Hour, OnEvict: func(n int) {
		evicts <- n
		<-goOn
	}})
	t.Cleanup(func() { close(goOn) })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if _, err := s.CompareAndSet(ctx, "new", nil, []byte("one"), 2*time.Hour); err != nil {
		t.Fatalf("creating the first session: %v", err)
	}
	select {
	case <-evicts:
	case <-ctx.Done():
		t.Fatal("nothing was evicted")
	}
	if n := len(names(t, dir)); n > threshold {
		t.Errorf("%d sessions", n)
	}
	want(t, s, "new", []byte("one"))
}

// TestWaitingForRoomHindersNobody creates many sessions while room is made for another, which takes
// long. Those requests wait, until their contexts end, and other sessions are changed meanwhile.
func TestWaitingForRoomHindersNobody(t *testing.T) {
	const threshold = 20
	evicts, goOn := make(chan int, 100), make(chan struct{})
	s := openTemp(t, Options{Threshold: threshold, sweepInterval: time.Hour, OnEvict: func(n int) {
		evicts <- n
		<-goOn
	}})
	release := sync.OnceFunc(func() { close(goOn) })
	t.Cleanup(release)
	patient, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	save(t, s, "used", nil, []byte("0"), 3*time.Hour)
	eventually(t, "the sessions are counted", func() bool { _, ok := s.Count(); return ok })
	for i := range threshold - 1 {
		save(t, s, fmt.Sprint("old", i), nil, []byte("one"), time.Hour)
	}
	create := func(ctx context.Context, key string) error {
		_, err := s.CompareAndSet(ctx, key, nil, []byte("one"), 2*time.Hour)
		return err
	}
	first := make(chan error, 1)
	go func() { first <- create(patient, "first") }()
	select {
	case <-evicts:
	case err := <-first:
		t.Fatalf("no session was evicted: %v", err)
	}
	ctx, giveUp := context.WithCancel(patient)
	defer giveUp()
	const waiting = 2 * maxAtWork
	outcomes := make(chan error, waiting)
	for i := range waiting {
		go func() { outcomes <- create(ctx, fmt.Sprint("new", i)) }()
	}
	room := spareOf(threshold)
	for range room {
		if err := <-outcomes; err != nil {
			t.Fatalf("there is room, but: %v", err)
		}
	}
	for i := range 50 {
		was, is := fmt.Append(nil, i), fmt.Append(nil, i+1)
		if _, err := s.CompareAndSet(patient, "used", was, is, 3*time.Hour); err != nil {
			t.Fatalf("saving another session: %v", err)
		}
		if err := s.Touch(patient, "used", is, 3*time.Hour); err != nil {
			t.Fatalf("touching another session: %v", err)
		}
	}
	giveUp()
	for range waiting - room {
		if err := <-outcomes; !errors.Is(err, context.Canceled) || !errors.Is(err, sessionstore.ErrUnavailable) {
			t.Errorf("no room: %v", err)
		}
	}
	// Nothing of the requests that ended is left: the next ones with their ids do not wait.
	for i := range waiting {
		if _, err := s.CompareAndDelete(patient, fmt.Sprint("new", i), []byte("one")); err != nil {
			t.Errorf("deleting: %v", err)
		}
	}
	release()
	if err := <-first; err != nil {
		t.Errorf("creating the first: %v", err)
	}
}

// TestCountsMeanwhile checks what a slow count of all sessions says after a fast one that led to
// evictions, and that no session is evicted because some were counted twice.
func TestCountsMeanwhile(t *testing.T) {
	s := openTemp(t, Options{Threshold: 20, sweepInterval: time.Hour, OnEvict: func(int) { t.Error("a session was evicted") }})
	counted(t, s)
	for i := range 10 {
		save(t, s, fmt.Sprint("key", i), nil, []byte("one"), time.Hour)
	}
	made, times := s.census.begin()
	s.census.counted(10, made, times) // the fast one
	s.census.counted(20, made, times)
	if n := s.census.now(); n != 10 {
		t.Errorf("%d sessions are counted, want 10", n)
	}
	made, times = s.census.begin()
	s.census.counted(20, made, times) // ten were counted twice
	save(t, s, "new", nil, []byte("one"), time.Hour)
	if n := s.census.now(); n != 11 {
		t.Errorf("%d sessions are counted, want 11", n)
	}
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
