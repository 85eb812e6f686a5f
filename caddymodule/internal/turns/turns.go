// Package turns lets the requests of one session run one after the other.
package turns

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/caddy-session/caddy-session/internal/locks"
)

// Table has the turns of sessions, by the keys of their records. Its zero value is ready to use.
type Table struct {
	locks locks.Table

	mu    sync.Mutex
	given uint64 // how many turns have ended
}

// Turn is the turn of one request. A nil Turn is none.
type Turn struct {
	table *Table
	keys  []string // one, and that of its new id: who has the old one is not in the way of others
	timer *time.Timer
	given bool
}

// Given returns how many turns have ended. If that is the same when a turn is taken, no request
// with a turn has changed what was loaded in between.
func (t *Table) Given() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.given
}

// Take waits until no request of the session with this key has the turn. It reports whether no turn
// has ended since Given returned since. An error is the context's.
func (t *Table) Take(ctx context.Context, key string, since uint64) (turn *Turn, fresh bool, err error) {
	if err := t.locks.Lock(ctx, key); err != nil {
		return nil, false, err
	}
	return &Turn{table: t, keys: []string{key}}, t.Given() == since, nil
}

// Is reports whether this is a turn of the session with this key.
func (t *Turn) Is(key string) bool {
	if t == nil {
		return false
	}
	t.table.mu.Lock()
	defer t.table.mu.Unlock()
	return !t.given && slices.Contains(t.keys, key)
}

// Also says that the session has got a new id, and its record another key: whoever comes with that
// waits for this turn too.
func (t *Turn) Also(key string) {
	if t == nil {
		return
	}
	t.table.mu.Lock()
	defer t.table.mu.Unlock()
	if !t.given && key != "" && t.table.locks.TryLock(key) {
		t.keys = append(t.keys, key)
	}
}

// GiveWithin gives the turn to the next request after that long, unless that is done before.
func (t *Turn) GiveWithin(wait time.Duration) {
	if t == nil {
		return
	}
	t.table.mu.Lock()
	defer t.table.mu.Unlock()
	if !t.given && t.timer == nil {
		t.timer = time.AfterFunc(wait, t.Give)
	}
}

// Give gives the turn to the next request. Further calls do nothing.
func (t *Turn) Give() {
	if t == nil {
		return
	}
	t.table.mu.Lock()
	defer t.table.mu.Unlock()
	if t.given {
		return
	}
	t.given = true
	t.table.given++
	if t.timer != nil {
		t.timer.Stop()
	}
	for _, key := range t.keys {
		t.table.locks.Unlock(key)
	}
}
