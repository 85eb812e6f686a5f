// Package locks has locks by key within this process.
package locks

import (
	"context"
	"sync"
)

// Table has the locks that are held. Who waits for one gets it in the order of arrival. The zero
// Table is ready for use.
type Table struct {
	mu   sync.Mutex
	held map[string]*lock
}

type lock struct {
	free  chan struct{}
	users int // how many hold it or wait for it
}

// Lock waits for the lock until ctx ends.
func (t *Table) Lock(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	t.mu.Lock()
	l := t.held[key]
	if l == nil {
		if t.held == nil {
			t.held = make(map[string]*lock)
		}
		l = &lock{free: make(chan struct{}, 1)}
		l.free <- struct{}{}
		t.held[key] = l
	}
	l.users++
	t.mu.Unlock()
	select {
	case <-l.free:
		return nil
	case <-ctx.Done():
		t.leave(key, l)
		return ctx.Err()
	}
}

// TryLock takes the lock if it is free and nobody waits for it.
func (t *Table) TryLock(key string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.held[key] != nil {
		return false
	}
	if t.held == nil {
		t.held = make(map[string]*lock)
	}
	t.held[key] = &lock{free: make(chan struct{}, 1), users: 1}
	return true
}

// Unlock gives the lock to the next one.
func (t *Table) Unlock(key string) {
	t.mu.Lock()
	l := t.held[key]
	t.mu.Unlock()
	l.free <- struct{}{}
	t.leave(key, l)
}

func (t *Table) leave(key string, l *lock) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if l.users--; l.users == 0 {
		delete(t.held, key)
	}
}
