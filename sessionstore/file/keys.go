package file

import (
	"context"
	"sync"
)

// keys are locks within this process. Goroutines that change the same file queue for them, as the
// lock on the file can only be polled.
type keys struct {
	mu   sync.Mutex
	held map[string]*turn
}

type turn struct {
	free  chan struct{}
	users int // how many hold it or wait for it
}

// lock waits for the lock until ctx ends.
func (k *keys) lock(ctx context.Context, path string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	k.mu.Lock()
	t := k.held[path]
	if t == nil {
		if k.held == nil {
			k.held = make(map[string]*turn)
		}
		t = &turn{free: make(chan struct{}, 1)}
		t.free <- struct{}{}
		k.held[path] = t
	}
	t.users++
	k.mu.Unlock()
	select {
	case <-t.free:
		return nil
	case <-ctx.Done():
		k.leave(path, t)
		return ctx.Err()
	}
}

// tryLock takes the lock if it is free and nobody waits for it.
func (k *keys) tryLock(path string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.held[path] != nil {
		return false
	}
	if k.held == nil {
		k.held = make(map[string]*turn)
	}
	k.held[path] = &turn{free: make(chan struct{}, 1), users: 1}
	return true
}

func (k *keys) unlock(path string) {
	k.mu.Lock()
	t := k.held[path]
	k.mu.Unlock()
	t.free <- struct{}{}
	k.leave(path, t)
}

func (k *keys) leave(path string, t *turn) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if t.users--; t.users == 0 {
		delete(k.held, path)
	}
}
