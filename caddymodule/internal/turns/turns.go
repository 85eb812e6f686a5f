// Package turns lets the requests of one session run one after the other.
package turns

import (
	"context"
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
	keys  []string // its record's, and those of its new ids
	users int

	// free has room for one. Whoever puts something into it has the turn; the others wait in the
	// order in which they came.
	free chan struct{}
}

// Turn is the turn of one request. A nil Turn is none.
type Turn struct {
	table   *Table
	session *session
	timer   *time.Timer
	given   bool
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
		s = &session{free: make(chan struct{}, 1)}
		t.name(s, key)
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
	return &Turn{table: t, session: s}, t.Given() == since, nil
}

// name lets a session be found under a key. The caller holds mu.
func (t *Table) name(s *session, key string) {
	if t.byKey == nil {
		t.byKey = make(map[string]*session)
	}
	t.byKey[key] = s
	s.keys = append(s.keys, key)
}

// leave forgets a session that nobody uses. The caller holds mu.
func (t *Table) leave(s *session) {
	if s.users--; s.users > 0 {
		return
	}
	for _, key := range s.keys {
		delete(t.byKey, key)
	}
}

// Is reports whether this is a turn of the session with this key.
func (t *Turn) Is(key string) bool {
	if t == nil {
		return false
	}
	t.table.mu.Lock()
	defer t.table.mu.Unlock()
	return !t.given && t.table.byKey[key] == t.session
}

// Also says that the session has got a new id, and its record another key.
func (t *Turn) Also(key string) {
	if t == nil {
		return
	}
	t.table.mu.Lock()
	defer t.table.mu.Unlock()
	if !t.given && key != "" && t.table.byKey[key] == nil {
		t.table.name(t.session, key)
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
	<-t.session.free
	t.table.leave(t.session)
}
