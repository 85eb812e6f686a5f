package sessionstore

import (
	"bytes"
	"context"
	"errors"
	"time"
)

// regeneration is one of which nobody knows whether it has happened: the answer to its last step was lost, and the client
// was told that the store is out of reach.
type regeneration struct {
	key    string
	former Entry // what was under key before
	alias  []byte

	newKey string
	moved  Entry // what is under newKey, for an id that nobody has been given
}

// undoPause is how long to wait before undoing is tried again, at first and at most.
const undoPause, maxUndoPause = 50 * time.Millisecond, time.Second

// undo takes the regeneration back, off the request's path. The client still has the old id: if its record stayed an alias, it
// would be logged out when the grace is over. After that there is nothing left to save.
func (m *Manager) undo(r regeneration) {
	end := m.opts.Now().Add(m.opts.aliasTTL())
	for pause := undoPause; m.opts.Now().Before(end); pause = min(2*pause, maxUndoPause) {
		ctx := &deadline{Context: context.Background(), at: time.Now().Add(m.opts.StoreTimeout)}
		err := m.tryUndo(ctx, &r)
		ctx.stop()
		if err == nil {
			return
		}
		time.Sleep(pause)
	}
}

// tryUndo puts what was under the old key there again, in a new version: a write that is still on its way finds
// another record than it expects.
func (m *Manager) tryUndo(ctx context.Context, r *regeneration) error {
	now, err := m.store.Get(ctx, r.key)
	if err != nil {
		return err
	}
	happened := bytes.Equal(now.Value, r.alias)
	if happened {
		// First what was moved, and only if nobody has changed it since: what was answered stays.
		switch err := m.discard(ctx, r.newKey, r.moved); {
		case errors.Is(err, ErrConflict):
			return nil
		case err != nil:
			return err
		}
	}
	if happened || bytes.Equal(now.Value, r.former.Value) {
		var rec Record
		if err := m.opts.Codec.Decode(r.former.Value, &rec); err != nil {
			return err
		}
		if _, err := m.put(ctx, r.key, now.Value, &rec); err != nil && !errors.Is(err, ErrConflict) {
			return err
		}
	}
	if happened {
		return nil
	}
	if err := m.discard(ctx, r.newKey, r.moved); !errors.Is(err, ErrConflict) {
		return err
	}
	return nil
}
