// Package turns lets the requests of one session run one after the other.
package turns

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Table has the turns of sessions, by the keys of their records. Its zero value is ready to use.
type Table struct {
	mu    sync.Mutex
	byKey map[string]*session

	// given counts the turns that have ended.
	given uint64
}

// session is a session with requests that run or wait.
type session struct {
	key   string
	users int

	// free has room for one. Whoever puts something into it has the turn; the others wait in the
	// order in which they came.
	free chan struct{}
}

// Turn is the turn of one request. A nil Turn is none.
type Turn struct {
	table    *Table
	sessions []*session // one, and that of its new id: who has the old one is not in the way of others
	timer    *time.Timer
	given    bool
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
	t.mu.Lock()
	s := t.byKey[key]
	if s == nil {
		s = t.add(key)
	}
	s.users++
	t.mu.Unlock()
	select {
	case s.free <- struct{}{}:
	case <-ctx.Done():
		t.mu.Lock()
		defer t.mu.Unlock()
		t.leave(s)
		return nil, false, ctx.Err()
	}
	return &Turn{table: t, sessions: []*session{s}}, t.Given() == since, nil
}

// add adds a session. The caller holds mu.
func (t *Table) add(key string) *session {
	if t.byKey == nil {
		t.byKey = make(map[string]*session)
	}
	s := &session{key: key, free: make(chan struct{}, 1)}
	t.byKey[key] = s
	return s
}

// leave forgets a session that nobody uses. The caller holds mu.
func (t *Table) leave(s *session) {
	if s.users--; s.users == 0 {
		delete(t.byKey, s.key)
	}
}

// Is reports whether this is a turn of the session with this key.
func (t *Turn) Is(key string) bool {
	if t == nil {
		return false
	}
	t.table.mu.Lock()
	defer t.table.mu.Unlock()
	return !t.given && slices.ContainsFunc(t.sessions, func(s *session) bool { return s.key == key })
}

// Also says that the session has got a new id, and its record another key: whoever comes with that
// waits for this turn too.
func (t *Turn) Also(key string) {
	if t == nil {
		return
	}
	t.table.mu.Lock()
	defer t.table.mu.Unlock()
	if !t.given && key != "" && t.table.byKey[key] == nil {
		s := t.table.add(key)
		s.users++
		s.free <- struct{}{}
		t.sessions = append(t.sessions, s)
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
	for _, s := range t.sessions {
		<-s.free
		t.table.leave(s)
	}
}
