package sessionstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-session/caddy-session/internal/jsondoc"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// answer is what a commit in a goroutine has come to.
type answer struct {
	out sessionstore.Outcome
	err error
}

// start commits in a goroutine and returns when that waits for something.
func (r *rig) start(ctx context.Context, s *sessionstore.Session, parts ...part) <-chan answer {
	done := make(chan answer, 1)
	go func() {
		out, err := r.Commit(ctx, s, change(parts...))
		done <- answer{out, err}
	}()
	synctest.Wait()
	return done
}

func TestParallelChangesOfOneSessionAreSavedTogether(t *testing.T) {
	const n = 200
	bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
		id := r.begin(update(`{"first":1}`))
		r.store.heal()
		r.store.before(set, 0, slow(time.Millisecond))
		var all sync.WaitGroup
		for i := range n {
			all.Go(func() { r.do(r.exists(id), update(fmt.Sprintf(`{"k%d":%d}`, i, i))) })
		}
		all.Wait()
		// One alone, and then as many as fit.
		if got, want := r.store.count(set), 1+(n-1+sessionstore.MaxBatch-1)/sessionstore.MaxBatch; got != want {
			t.Errorf("%d saves, want %d", got, want)
		}
		if got := r.store.count(get); got != n {
			t.Errorf("%d reads for %d loads", got, n)
		}
		data := r.exists(id).Data()
		for i := range n {
			if !strings.Contains(data, fmt.Sprintf(`"k%d":%d`, i, i)) {
				t.Errorf("k%d is lost", i)
			}
		}
		if r.Queues() != 0 {
			t.Error("a queue is left")
		}
	})
}

// TestParallelChangesAsTheyCome is the same with real time and a store without delay.
func TestParallelChangesAsTheyCome(t *testing.T) {
	const n = 200
	r := newRig(t, sessionstore.Options{MaxSize: 1 << 16})
	id := r.begin(update(`{"n":0}`))
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			r.do(r.exists(id), update(fmt.Sprintf(`{"k%d":%d}`, i, i)), update(`[{"op":"increment","path":"/n","value":1},{"op":"append","path":"/list","value":1}]`))
		})
	}
	all.Wait()
	if list, _ := parse(r.exists(id).Data()).Lookup(paths("list")[0]); list.Len() != n {
		t.Errorf("%d items", list.Len())
	}
	if got := parse(r.exists(id).Data()); got.Len() != n+2 {
		t.Errorf("%d keys", got.Len())
	}
	if n, _ := parse(r.exists(id).Data()).Lookup(paths("n")[0]); n.String() != "200" {
		t.Errorf("counted to %s", n)
	}
}

func TestTheChangesOfABatchApplyInTheirOrder(t *testing.T) {
	bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
		id := r.begin(update(`{"list":[]}`))
		r.store.heal()
		r.store.before(set, 1, slow(time.Millisecond))
		var done []<-chan answer
		s := r.exists(id)
		for i := range 10 {
			done = append(done, r.start(t.Context(), s, update(fmt.Sprintf(`[{"op":"add","path":"/list/-","value":%d}]`, i))))
		}
		for _, d := range done {
			if a := <-d; a.err != nil || a.out.Result != sessionstore.Saved {
				t.Errorf("%+v", a)
			}
		}
		r.want(id, `{"list":[0,1,2,3,4,5,6,7,8,9]}`)
		if n := r.store.count(set); n != 2 {
			t.Errorf("%d saves", n)
		}
	})
}

// TestAnInvalidChangeChangesNothingForTheOthers mixes a batch of all that may be wrong with a
// change.
func TestAnInvalidChangeChangesNothingForTheOthers(t *testing.T) {
	bubble(t, sessionstore.Options{MaxSize: 200, RegenerateOn: paths("user")}, func(t *testing.T, r *rig) {
		id := r.begin(update(`{"n":0}`))
		s := r.exists(id)
		confined := *s
		confined.NoCookie = true
		more := func(parts ...part) []part {
			return append(parts, update(`[{"op":"increment","path":"/n","value":1000}]`), flash(`"no"`))
		}
		bad := [][]part{
			more(update(`[{"op":"test","path":"/n","value":-1}]`)),
			more(update(`[{"op":"remove","path":"/none"}]`)),
			more(update(`{"x":"` + strings.Repeat("x", 190) + `"}`)),
			more(update(`{"x":"` + strings.Repeat("x", 500) + `"}`)),
			append(more(), update(`[{"op":"replace","path":"","value":[]}]`)),
			append(more(), edit(editFunc(func(jsondoc.Value, *jsondoc.Budget) (jsondoc.Value, error) { return jsondoc.Value{}, errors.New("no") }))),
		}
		needy := [][]part{more(regenerate), more(permanent(true)), more(update(`{"user":"u"}`)), {update(`{"n":null}`), seen, update(`[{"op":"replace","path":"","value":{}}]`)}}
		r.store.before(set, 1, slow(time.Millisecond))
		first := r.start(t.Context(), s, update(`{"first":1}`))
		var good, refused []<-chan answer
		for _, parts := range bad {
			refused = append(refused, r.start(t.Context(), s, parts...))
			good = append(good, r.start(t.Context(), s, update(`[{"op":"increment","path":"/n","value":1}]`)))
		}
		for _, parts := range needy {
			refused = append(refused, r.start(t.Context(), &confined, parts...))
			good = append(good, r.start(t.Context(), s, update(`[{"op":"increment","path":"/n","value":1}]`)))
		}
		for i, done := range append(good, first) {
			if a := <-done; a.err != nil || a.out.Result != sessionstore.Saved || a.out.Cookie != sessionstore.CookieKept {
				t.Errorf("good %d: %+v", i, a)
			}
		}
		for i, done := range refused {
			if a := <-done; !errors.Is(a.err, sessionstore.ErrInvalid) || a.out.Result != sessionstore.Unchanged {
				t.Errorf("bad %d: %+v", i, a)
			}
		}
		if s := r.exists(id); s.Data() != `{"n":10,"first":1}` || s.Flash() != "" {
			t.Errorf("%s, %s", s.Data(), s.Flash())
		}
		if n := r.store.count(set); n != 3 {
			t.Errorf("%d saves", n)
		}
	})
}

// TestARecordTooLargeToKeepIsRefusedAlone: the limit of the record is one of the change that passes
// it, not of those that happen to be saved together with it.
func TestARecordTooLargeToKeepIsRefusedAlone(t *testing.T) {
	bubble(t, sessionstore.Options{MaxSize: sessionstore.MaxValue}, func(t *testing.T, r *rig) {
		id := r.begin(update(`{"n":0}`))
		s := r.exists(id)
		large := update(`{"x":"` + strings.Repeat("x", sessionstore.MaxRecord) + `"}`)
		r.store.before(set, 1, slow(time.Millisecond))
		first := r.start(t.Context(), s, update(`{"a":1}`))
		second := r.start(t.Context(), s, update(`{"b":1}`))
		refused := r.start(t.Context(), s, large)
		moved := r.start(t.Context(), s, large, regenerate)
		third := r.start(t.Context(), s, update(`{"c":1}`))
		for i, done := range []<-chan answer{first, second, third} {
			if a := <-done; a.err != nil || a.out.Result != sessionstore.Saved {
				t.Errorf("%d: %+v", i, a)
			}
		}
		for i, done := range []<-chan answer{refused, moved} {
			if a := <-done; !errors.Is(a.err, sessionstore.ErrTooLarge) {
				t.Errorf("too large %d: %+v", i, a)
			}
		}
		r.want(id, `{"n":0,"a":1,"b":1,"c":1}`)
		if n := len(r.records()); n != 1 {
			t.Errorf("%d records", n)
		}
	})
}

// TestAMarkTooLargeToKeep: a record may be as large as is allowed, but for the bytes that one with
// a successor has more. Then its session cannot be regenerated, and nothing is left of the attempt.
func TestAMarkTooLargeToKeep(t *testing.T) {
	bubble(t, sessionstore.Options{MaxSize: sessionstore.MaxValue}, func(t *testing.T, r *rig) {
		id := sessionstore.NewID()
		rec := sessionstore.Record{Created: time.Now(), Idle: time.Hour, Scope: here.String(), Data: []byte("{}")}
		rec.Data = []byte(sized(sessionstore.MaxRecord - len(r.encode(rec)) - 2))
		r.plant(id, r.encode(rec), time.Hour)
		s := r.exists(id)
		r.store.before(set, 1, slow(time.Millisecond))
		first := r.start(t.Context(), s, permanent(true))
		moved := r.start(t.Context(), s, regenerate)
		last := r.start(t.Context(), s, permanent(false))
		if a := <-moved; !errors.Is(a.err, sessionstore.ErrTooLarge) {
			t.Errorf("%+v", a)
		}
		for i, done := range []<-chan answer{first, last} {
			if a := <-done; a.err != nil {
				t.Errorf("%d: %+v", i, a)
			}
		}
		if n := len(r.records()); n != 1 || r.exists(id).Former() {
			t.Errorf("%d records", n)
		}
	})
}

// TestANewRecordThatBecomesTooLarge: it had been written before somebody else's change made the
// data grow.
func TestANewRecordThatBecomesTooLarge(t *testing.T) {
	o := sessionstore.Options{MaxSize: sessionstore.MaxValue, StoreTimeout: time.Hour}
	r := newRig(t, o)
	other := r.another(o)
	half := strings.Repeat("x", sessionstore.MaxRecord/2)
	id := r.begin(update(`{"a":1}`))
	s := r.exists(id)
	r.store.before(set, 2, then(func() { other.do(other.exists(id), update(`{"b":"`+half+`"}`)) }))
	r.refuse(sessionstore.ErrTooLarge, s, regenerate, update(`{"c":"`+half+`"}`))
	if n := len(r.records()); n != 1 {
		t.Errorf("%d records", n)
	}
}

func TestWhoeverGivesUpInTheQueueChangesNothing(t *testing.T) {
	bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
		id := r.begin(update(`{"a":1}`))
		s := r.exists(id)
		r.store.before(set, 1, slow(500*time.Millisecond))
		first := r.start(t.Context(), s, update(`{"first":1}`))
		ctx, cancel := context.WithCancel(t.Context())
		// The one that gives up would have been the next leader.
		impatient := r.start(ctx, s, update(`{"impatient":1}`))
		patient := r.start(t.Context(), s, update(`{"patient":1}`))
		start := time.Now()
		cancel()
		if a := <-impatient; !errors.Is(a.err, context.Canceled) || !errors.Is(a.err, sessionstore.ErrUnavailable) || time.Since(start) > 0 {
			t.Errorf("after %v: %+v", time.Since(start), a)
		}
		for _, done := range []<-chan answer{first, patient} {
			if a := <-done; a.err != nil {
				t.Error(a.err)
			}
		}
		r.want(id, `{"a":1,"first":1,"patient":1}`)
	})
}

func TestWhoeverGivesUpInABatchReturnsAtOnce(t *testing.T) {
	bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
		id := r.begin(update(`{"a":1}`))
		s := r.exists(id)
		r.store.before(set, 0, slow(300*time.Millisecond))
		first := r.start(t.Context(), s, update(`{"first":1}`))
		leader := r.start(t.Context(), s, update(`{"leader":1}`))
		ctx, cancel := context.WithCancel(t.Context())
		follower := r.start(ctx, s, update(`{"follower":1}`))
		<-first // now the second batch is on its way, with both
		time.Sleep(time.Millisecond)
		start := time.Now()
		cancel()
		if a := <-follower; !errors.Is(a.err, context.Canceled) || time.Since(start) > 0 {
			t.Errorf("after %v: %+v", time.Since(start), a)
		}
		if a := <-leader; a.err != nil {
			t.Error(a.err)
		}
		// It could not be taken back.
		r.want(id, `{"a":1,"first":1,"leader":1,"follower":1}`)
	})
}

// TestALeaderWhoseClientVanishesFinishesTheWorkOfAll: its context must not end the save of those
// who wait for it.
func TestALeaderWhoseClientVanishesFinishesTheWorkOfAll(t *testing.T) {
	bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
		id := r.begin(update(`{"a":1}`))
		s := r.exists(id)
		r.store.before(set, 0, slow(300*time.Millisecond))
		first := r.start(t.Context(), s, update(`{"first":1}`))
		ctx, cancel := context.WithCancel(t.Context())
		leader := r.start(ctx, s, update(`{"leader":1}`))
		follower := r.start(t.Context(), s, update(`{"follower":1}`))
		<-first
		time.Sleep(time.Millisecond)
		cancel()
		for name, done := range map[string]<-chan answer{"leader": leader, "follower": follower} {
			if a := <-done; a.err != nil || a.out.Result != sessionstore.Saved {
				t.Errorf("%s: %+v", name, a)
			}
		}
		r.want(id, `{"a":1,"first":1,"leader":1,"follower":1}`)
	})
}

func TestAFailedSaveFailsItsBatchOnly(t *testing.T) {
	bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
		id := r.begin(update(`{"a":1}`))
		s := r.exists(id)
		r.store.before(set, 1, slow(time.Millisecond))
		r.store.before(set, 0, func(_ context.Context, c call) error {
			if bytes.Contains(c.value, []byte(`"lost0"`)) {
				return errLost
			}
			return nil
		})
		first := r.start(t.Context(), s, update(`{"first":1}`))
		var lost []<-chan answer
		for i := range sessionstore.MaxBatch {
			lost = append(lost, r.start(t.Context(), s, update(fmt.Sprintf(`{"lost%d":1}`, i))))
		}
		last := r.start(t.Context(), s, update(`{"last":1}`))
		for i, done := range lost {
			if a := <-done; !errors.Is(a.err, errLost) {
				t.Errorf("%d: %+v", i, a)
			}
		}
		for _, done := range []<-chan answer{first, last} {
			if a := <-done; a.err != nil {
				t.Error(a.err)
			}
		}
		r.want(id, `{"a":1,"first":1,"last":1}`)
	})
}

func TestAPanicInAnEditHurtsItsBatchOnly(t *testing.T) {
	bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
		id := r.begin(update(`{"a":1}`))
		broken := edit(editFunc(func(jsondoc.Value, *jsondoc.Budget) (jsondoc.Value, error) { panic("broken") }))
		r.refuse(sessionstore.ErrUnavailable, r.exists(id), broken)
		r.do(r.exists(id), update(`{"b":1}`))
		r.want(id, `{"a":1,"b":1}`)
		if r.Queues() != 0 {
			t.Error("a queue is left")
		}
	})
}

func TestSessionsDoNotWaitForEachOther(t *testing.T) {
	bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
		one, two := r.begin(update(`{"a":1}`)), r.begin(update(`{"a":1}`))
		r.store.before(set, 1, slow(time.Second/2))
		slowly := r.start(t.Context(), r.exists(one), update(`{"b":1}`))
		start := time.Now()
		r.do(r.exists(two), update(`{"b":1}`))
		if time.Since(start) > 0 {
			t.Errorf("waited for %v", time.Since(start))
		}
		if a := <-slowly; a.err != nil {
			t.Error(a.err)
		}
	})
}
