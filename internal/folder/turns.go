package folder

import (
	"context"
	"sync"
)

// Turns are locks of paths within this process. Goroutines that change the same file queue for
// them, as the lock on the file can only be polled. The zero Turns is ready for use.
type Turns struct {
	mu   sync.Mutex
	held map[string]*turn
}

type turn struct {
	free  chan struct{}
	users int // how many hold it or wait for it
}

// Lock waits for the lock until ctx ends.
func (k *Turns) Lock(ctx context.Context, path string) error {
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

// TryLock takes the lock if it is free and nobody waits for it.
func (k *Turns) TryLock(path string) bool {
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

// Unlock gives the lock to the next one.
func (k *Turns) Unlock(path string) {
	k.mu.Lock()
	t := k.held[path]
	k.mu.Unlock()
	t.free <- struct{}{}
	k.leave(path, t)
}

func (k *Turns) leave(path string, t *turn) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if t.users--; t.users == 0 {
		delete(k.held, path)
	}
}
