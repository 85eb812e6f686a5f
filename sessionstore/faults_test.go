package sessionstore_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// errLost is the error of an operation that may have happened or not.
var errLost = errors.New("the connection was lost")

type op string

const (
	get   op = "get"
	set   op = "set"
	del   op = "delete"
	touch op = "touch"
)

// call is an operation on its way to the store.
type call struct {
	op         op
	key        string
	old, value []byte
	ttl        time.Duration
}

// hook interferes with an operation. Its error is what the caller gets.
type hook func(ctx context.Context, c call) error

// rule says when a hook runs: at the nth operation of a kind from when the rule was made, or, with
// n = 0, at each.
type rule struct {
	op   op
	n    int
	late bool
	run  hook
}

// faults is a store that fails, waits and lets others in between, as a test says.
type faults struct {
	sessionstore.Store

	mu    sync.Mutex
	rules []*rule
	calls []call
}

// before has h run in the place of the nth operation: that happens only if h returns nil.
func (f *faults) before(o op, n int, h hook) { f.add(&rule{op: o, n: n, run: h}) }

// after has h run when the nth operation has happened. If h returns an error, its answer is lost.
func (f *faults) after(o op, n int, h hook) { f.add(&rule{op: o, n: n, late: true, run: h}) }

func (f *faults) add(r *rule) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = append(f.rules, r)
}

// heal ends all interference and forgets the calls.
func (f *faults) heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules, f.calls = nil, nil
}

// count is how many operations of a kind there were since the last heal.
func (f *faults) count(o op) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, c := range f.calls {
		if c.op == o {
			n++
		}
	}
	return n
}

// come notes a call and returns the hooks for it.
func (f *faults) come(c call) (early, late []hook) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, c)
	f.rules = slices.DeleteFunc(f.rules, func(r *rule) bool {
		if r.op != c.op {
			return false
		}
		if r.n > 1 {
			r.n--
			return false
		}
		if r.late {
			late = append(late, r.run)
		} else {
			early = append(early, r.run)
		}
		return r.n == 1
	})
	return early, late
}

func run(ctx context.Context, c call, hooks []hook) error {
	for _, h := range hooks {
		if err := h(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// pass takes a call through its hooks.
func (f *faults) pass(ctx context.Context, c call, do func() (sessionstore.Entry, error)) (sessionstore.Entry, error) {
	early, late := f.come(c)
	if err := run(ctx, c, early); err != nil {
		return sessionstore.Entry{}, err
	}
	e, err := do()
	if lost := run(ctx, c, late); lost != nil {
		return sessionstore.Entry{}, lost
	}
	return e, err
}

func (f *faults) Get(ctx context.Context, key string) (sessionstore.Entry, error) {
	return f.pass(ctx, call{op: get, key: key}, func() (sessionstore.Entry, error) { return f.Store.Get(ctx, key) })
}

func (f *faults) CompareAndSet(ctx context.Context, key string, old, value []byte, ttl time.Duration) (sessionstore.Entry, error) {
	return f.pass(ctx, call{set, key, old, value, ttl}, func() (sessionstore.Entry, error) {
		return f.Store.CompareAndSet(ctx, key, old, value, ttl)
	})
}

func (f *faults) CompareAndDelete(ctx context.Context, key string, old []byte) (sessionstore.Entry, error) {
	return f.pass(ctx, call{op: del, key: key, old: old}, func() (sessionstore.Entry, error) {
		return f.Store.CompareAndDelete(ctx, key, old)
	})
}

func (f *faults) Touch(ctx context.Context, key string, old []byte, ttl time.Duration) error {
	_, err := f.pass(ctx, call{op: touch, key: key, old: old, ttl: ttl}, func() (sessionstore.Entry, error) {
		return sessionstore.Entry{}, f.Store.Touch(ctx, key, old, ttl)
	})
	return err
}

// hang is a store that does not answer.
func hang(ctx context.Context, _ call) error {
	<-ctx.Done()
	return ctx.Err()
}

// lose is a connection that breaks.
func lose(context.Context, call) error { return errLost }

// loseOf loses what happens to the record with this id, however often it is tried.
func loseOf(id string) hook {
	return func(_ context.Context, c call) error {
		if c.key == sessionstore.Ref(id) {
			return errLost
		}
		return nil
	}
}

// loseOthers loses what happens to any other record.
func loseOthers(id string) hook {
	return func(_ context.Context, c call) error {
		if c.key != sessionstore.Ref(id) {
			return errLost
		}
		return nil
	}
}

// slow is a store that takes its time.
func slow(d time.Duration) hook {
	return func(ctx context.Context, _ call) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// then is a hook that only lets something happen at that moment.
func then(f func()) hook {
	return func(context.Context, call) error {
		f()
		return nil
	}
}

// ledger is a store that knows its keys.
type ledger struct {
	sessionstore.Store
	mu   sync.Mutex
	keys map[string]bool
}

func (l *ledger) CompareAndSet(ctx context.Context, key string, old, value []byte, ttl time.Duration) (sessionstore.Entry, error) {
	l.mu.Lock()
	l.keys[key] = true
	l.mu.Unlock()
	return l.Store.CompareAndSet(ctx, key, old, value, ttl)
}
