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
	former Entry  // what was under key before
	alias  []byte // nil if the format has none: the record under key was deleted

	newKey string
	moved  Entry  // what is under newKey, for an id that nobody has been given
	back   []byte // the alias that leads back from there
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
	var former Record
	if err := m.decode(r.former.Value, &former); err != nil {
		return err
	}
	happened := bytes.Equal(now.Value, r.alias)
	if happened {
		switch err := m.leadBack(ctx, r, &former); {
		case errors.Is(err, ErrConflict):
			return nil // somebody has changed what was moved: what was answered stays
		case err != nil:
			return err
		}
	}
	if happened || bytes.Equal(now.Value, r.former.Value) {
		if _, err := m.put(ctx, r.key, now.Value, &former); err != nil && !errors.Is(err, ErrConflict) {
			return err
		}
	}
	if happened {
		return nil
	}
	// Nobody has ever been led there.
	if err := m.discard(ctx, r.newKey, r.moved); !errors.Is(err, ErrConflict) {
		return err
	}
	return nil
}

// leadBack makes what was moved an alias of the old key, unless somebody has changed it. Requests that have been led there
// go round in circles until the old record is there again, and lose nothing.
func (m *Manager) leadBack(ctx context.Context, r *regeneration, former *Record) error {
	if r.alias == nil {
		_, err := m.store.CompareAndDelete(ctx, r.newKey, r.moved.Value)
		return err
	}
	back := *former
	back.State, back.Target, back.Idle = Alias, r.key, m.opts.aliasTTL()
	if r.back == nil {
		var err error
		if r.back, err = m.opts.Codec.Encode(&back); err != nil {
			return err
		}
	}
	_, err := m.store.CompareAndSet(ctx, r.newKey, r.moved.Value, r.back, m.ttl(&back))
	return err
}
