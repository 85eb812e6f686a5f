package sessionstore_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// leeway is how much longer than the store timeout an operation may take. In a bubble it is only
// there for what the manager itself would wait for.
const leeway = 100 * time.Millisecond

// within fails the test if f takes longer than the store timeout.
func within(t *testing.T, what string, f func()) {
	t.Helper()
	start := time.Now()
	f()
	if took := time.Since(start); took > sessionstore.DefaultStoreTimeout+leeway {
		t.Errorf("%s took %v", what, took)
	}
}

// TestTheStoreTimeoutBoundsEverything has the store hang at each operation that each use of it
// takes.
func TestTheStoreTimeoutBoundsEverything(t *testing.T) {
	uses := map[string]func(r *rig, id, former string) (err error){
		"load": func(r *rig, id, _ string) error {
			_, err := r.Load(r.Context(), id, here)
			return err
		},
		"load of a former id": func(r *rig, _, former string) error {
			_, err := r.Load(r.Context(), former, here)
			return err
		},
		"create": func(r *rig, _, _ string) error {
			_, err := r.try(&sessionstore.Session{Scope: here}, update(`{"a":1}`))
			return err
		},
	}
	for name, parts := range map[string][]part{
		"change":            {update(`{"b":1}`)},
		"regenerate":        {regenerate, update(`{"b":1}`)},
		"destroy":           {destroy},
		"destroy and begin": {destroy, update(`{"b":1}`)},
		"empty":             {update(`{"a":null}`)},
	} {
		for whose, former := range map[string]bool{"": false, ", by a former id": true} {
			uses[name+whose] = func(r *rig, id, old string) error {
				if former {
					id = old
				}
				s, err := r.Load(context.Background(), id, here)
				if err != nil || !s.Exists() {
					return err
				}
				_, err = r.try(s, parts...)
				return err
			}
		}
	}
	for name, use := range uses {
		for _, o := range []op{get, set, del} {
			for n := 1; n <= 4; n++ {
				t.Run(name, func(t *testing.T) {
					bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
						former := r.begin(update(`{"a":1}`))
						id := r.do(r.exists(former), regenerate).ID
						r.store.heal()
						r.store.before(o, n, hang)
						var err error
						within(t, name, func() { err = use(r, id, former) })
						hung := r.store.count(o) >= n
						if hung != errors.Is(err, context.DeadlineExceeded) {
							t.Errorf("%s %d hung: %t, error %v", o, n, hung, err)
						}
					})
				})
			}
		}
	}
}

// TestSlowAnswersDoNotAddUp: the bound holds for all operations together.
func TestSlowAnswersDoNotAddUp(t *testing.T) {
	bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
		first := r.begin(update(`{"a":1}`))
		former, id := r.exists(first), first
		for range 5 {
			id = r.do(r.exists(id), regenerate).ID
		}
		s := r.exists(id)
		unused := r.do(r.exists(r.begin(update(`{"a":1}`))), regenerate).ID
		for _, o := range []op{get, set, del} {
			r.store.before(o, 0, slow(400*time.Millisecond))
		}
		within(t, "loading", func() {
			if s, err := r.Load(t.Context(), unused, here); !errors.Is(err, context.DeadlineExceeded) || s.Exists() {
				t.Errorf("loading: %v", err)
			}
		})
		within(t, "destroying", func() { r.refuse(context.DeadlineExceeded, former, destroy) })
		within(t, "regenerating", func() { r.do(s, regenerate) })
		within(t, "committing", func() { r.refuse(context.DeadlineExceeded, former, update(`{"b":1}`)) })
	})
}

func TestTheStoreTimeoutBoundsThoseInTheQueue(t *testing.T) {
	bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
		id := r.begin(update(`{"a":1}`))
		s := r.exists(id)
		r.store.before(set, 0, hang)
		done := make(chan time.Duration)
		const n = 300
		for i := range n {
			go func() {
				time.Sleep(time.Duration(i) * 5 * time.Millisecond)
				start := time.Now()
				_, err := r.try(s, update(`{"b":1}`))
				if !errors.Is(err, sessionstore.ErrUnavailable) && !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%d: %v", i, err)
				}
				done <- time.Since(start)
			}()
		}
		for range n {
			if took := <-done; took > sessionstore.DefaultStoreTimeout+leeway {
				t.Errorf("took %v", took)
			}
		}
		r.store.heal()
		r.do(r.exists(id), update(`{"c":1}`))
		r.want(id, `{"a":1,"c":1}`)
	})
}

// TestAStoreThatAlwaysConflicts: somebody who never stops saving must not keep others for ever.
func TestAStoreThatAlwaysConflicts(t *testing.T) {
	bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
		other := r.another(sessionstore.Options{})
		id := r.begin(update(`{"a":1}`))
		s := r.exists(id)
		r.store.before(set, 0, func(ctx context.Context, c call) error {
			if err := slow(10*time.Millisecond)(ctx, c); err != nil {
				return err
			}
			if c.key == sessionstore.Ref(id) {
				other.do(other.exists(id), update(`[{"op":"increment","path":"/n","value":1}]`))
			}
			return nil
		})
		within(t, "a change", func() { r.refuse(context.DeadlineExceeded, s, update(`{"b":1}`)) })
		within(t, "regenerate", func() { r.refuse(context.DeadlineExceeded, s, regenerate) })
	})
}

func TestAShorterDeadlineOfTheCallersHolds(t *testing.T) {
	bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
		id := r.begin(update(`{"a":1}`))
		r.store.before(get, 1, hang)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		start := time.Now()
		_, err := r.Load(ctx, id, here)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 50*time.Millisecond {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
	})
}

func TestTouchingEndsInTimeToo(t *testing.T) {
	bubble(t, sessionstore.Options{}, func(t *testing.T, r *rig) {
		id := r.begin(update(`{"a":1}`))
		s := r.exists(id)
		r.store.before(touch, 1, hang)
		within(t, "touching", func() {
			if err := r.Touch(t.Context(), s); !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
		})
		r.store.before(get, 1, hang)
		within(t, "refreshing", func() {
			if err := r.Refresh(t.Context(), s); !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
		})
	})
}
