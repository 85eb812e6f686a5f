package sessionstore

import (
	"bytes"
	"context"
	"errors"
	"time"
)

// heir is the record of a new id that no client has got yet.
type heir struct {
	id, ref, key string
	entry        Entry
}

// regenerate saves the changed session of p under a new id, and marks the old record, which is
// under key. It returns the record that is under key then, with [ErrConflict] if the change was
// made to another record.
//
// The heir is saved first, so that no mark leads to a missing record. It is saved again before
// another attempt.
func (m *Manager) regenerate(ctx context.Context, key string, cur Entry, old *Record, made *applied, p *pending) (Entry, error) {
	if old.Gen > p.gen {
		if err := m.leaveReplaced(ctx, made, old); err != nil {
			return cur, errors.Join(err, m.deleteHeir(ctx, p))
		}
		if made.next.Empty() {
			p.outcome = Outcome{Result: Dropped}
			return cur, m.deleteHeir(ctx, p)
		}
	}
	next := m.heirOf(key, old, made)
	if err := m.begin(ctx, &p.heir, &next); err != nil {
		return cur, err
	}
	if err := m.list(ctx, p.heir.ref, &next, next.User != old.User); err != nil {
		return cur, errors.Join(err, m.deleteHeir(ctx, p))
	}
	marked := m.succeeded(old, p.heir.key, made, p.change)
	found, err := m.markOld(ctx, key, cur.Value, &marked)
	switch {
	case err == nil:
		p.outcome = m.given(p.heir.id, p.heir.ref, &made.next)
	case !errors.Is(err, ErrConflict):
		if m.foreign != nil || !marked.Until.Equal(old.Until) {
			d := doubt{key: key, former: cur, rec: *old, heir: p.heir}
			m.settle(func(ctx context.Context) error { return m.undo(ctx, &d) })
		}
	}
	return found, err
}

// heirOf returns the record of a new id that will succeed old, which is under key.
func (m *Manager) heirOf(key string, old *Record, made *applied) Record {
	next := made.next
	next.Gen, next.Target, next.Until = 0, "", time.Time{}
	if m.foreign == nil {
		next.Pred, next.Idx = key, old.Gen+1
	}
	next.Listed = m.opts.Now()
	return next
}

// succeeded returns the old record as it is when the one under target is to succeed it.
func (m *Manager) succeeded(old *Record, target string, made *applied, c *Change) Record {
	marked := *old
	marked.Gen, marked.Target = old.Gen+1, target
	marked.Pred, marked.Idx = "", 0
	if c.Regenerate || made.elevated == elevatedByField {
		marked.Until = m.endUnused(old)
	}
	return marked
}

// begin saves the record of a new id for the first time, or again.
func (m *Manager) begin(ctx context.Context, h *heir, rec *Record) error {
	for {
		if h.id == "" {
			h.id = m.newID()
			h.ref = Ref(h.id)
			h.key = m.opts.Codec.Key(h.id, h.ref)
		}
		entry, err := m.put(ctx, h.key, h.entry.Value, rec)
		if !errors.Is(err, ErrConflict) {
			if err == nil {
				h.entry = entry
			}
			return err
		}
		// A change was led there. So the old record had been marked, though the answer was lost,
		// and it has another successor by now.
		*h = heir{}
	}
}

// markOld replaces the old record by the marked one, or deletes it where the format has no place
// for marks.
func (m *Manager) markOld(ctx context.Context, key string, old []byte, marked *Record) (Entry, error) {
	if m.foreign != nil {
		// A look that finds no record any more, for the session's streams, must find the move.
		m.moves.add(key, marked.Gen, marked.Target, m.opts.Now(), m.lead())
		found, err := m.insist(ctx, key, old, nil, 0)
		if err != nil {
			m.moves.forget(key)
			return found, err
		}
		m.ended(key, marked)
		return found, nil
	}
	value, err := m.encode(marked)
	if err != nil {
		return Entry{}, err
	}
	found, err := m.insist(ctx, key, old, value, m.ttl(marked))
	if errors.Is(err, ErrConflict) && found.Found() {
		var rec Record
		if m.decode(found.Value, &rec) == nil && rec.Target == marked.Target {
			return found, nil // an attempt had succeeded, and another change has come since
		}
	}
	return found, err
}

// endUnused returns when the old record ends if its successor is never used.
func (m *Manager) endUnused(rec *Record) time.Time {
	end := time.UnixMilli(m.opts.Now().Add(min(m.opts.RegenerateUnused, m.idle(rec))).UnixMilli())
	if !rec.Until.IsZero() && rec.Until.Before(end) {
		return rec.Until
	}
	return end
}

// insistPause is how long to wait before a save is tried again that must not stay in doubt.
const insistPause = 10 * time.Millisecond

// insist is a compare-and-set, or without a value a compare-and-delete. It tries again after an
// error as long as there is time.
func (m *Manager) insist(ctx context.Context, key string, old, value []byte, ttl time.Duration) (Entry, error) {
	for pause := insistPause; ; pause *= 2 {
		current, err := m.replace(ctx, key, old, value, ttl)
		if err == nil {
			return Entry{Value: value, TTL: ttl}, nil
		}
		if errors.Is(err, ErrConflict) || !wait(ctx, pause) {
			return current, err
		}
	}
}

func (m *Manager) replace(ctx context.Context, key string, old, value []byte, ttl time.Duration) (Entry, error) {
	if value == nil {
		return m.store.CompareAndDelete(ctx, key, old)
	}
	return m.store.CompareAndSet(ctx, key, old, value, ttl)
}

// wait waits for that long, and reports whether ctx lasts beyond it.
func wait(ctx context.Context, pause time.Duration) bool {
	if until, limited := ctx.Deadline(); limited && time.Until(until) <= pause {
		return false
	}
	select {
	case <-time.After(pause):
		return true
	case <-ctx.Done():
		return false
	}
}

// deleteHeir deletes the heir of a change that will not be given its id.
func (m *Manager) deleteHeir(ctx context.Context, p *pending) error {
	h := p.heir
	p.heir = heir{}
	return m.deleteUnused(ctx, h.key, h.entry)
}

// deleteUnused deletes a record whose id nobody will be given, unless others have been led there.
func (m *Manager) deleteUnused(ctx context.Context, key string, entry Entry) error {
	if !entry.Found() {
		return nil
	}
	_, err := m.store.CompareAndDelete(ctx, key, entry.Value)
	if errors.Is(err, ErrConflict) {
		return nil
	}
	return err
}

// doubt is a regeneration that may have happened or not: the answer to its last step was lost. The
// client was told that the store is unreachable, and goes on with the old id.
type doubt struct {
	key    string
	former Entry // what was under key before
	rec    Record
	heir   heir
}

// settlePause is how long to wait before another attempt to settle, at first and at most.
const settlePause, maxSettlePause = 50 * time.Millisecond, 10 * time.Second

// settle calls try off the request's path until it succeeds, for RegenerateUnused at most: then no
// doubtful regeneration is left to undo.
func (m *Manager) settle(try func(context.Context) error) {
	m.opts.Go(func() {
		end := m.opts.Now().Add(m.opts.RegenerateUnused)
		for pause := settlePause; m.opts.Now().Before(end); pause = min(2*pause, maxSettlePause) {
			ctx, cancel := context.WithTimeout(context.Background(), m.opts.StoreTimeout)
			err := try(ctx)
			cancel()
			if err == nil {
				return
			}
			time.Sleep(pause)
		}
	})
}

// undo undoes a doubtful regeneration, so that it ends no session.
func (m *Manager) undo(ctx context.Context, d *doubt) error {
	now, err := m.store.Get(ctx, d.key)
	if err != nil {
		return err
	}
	next := d.rec
	switch {
	case bytes.Equal(now.Value, d.former.Value):
		// It has not happened. The record is saved in a new version, so that a write that is still
		// on its way finds a conflict.
		if _, err := m.put(ctx, d.key, now.Value, &next); err != nil {
			return err
		}
		return m.deleteUnused(ctx, d.heir.key, d.heir.entry)
	case m.foreign != nil && !now.Found():
		// It has happened, and took the old record away.
		if _, err := m.store.CompareAndDelete(ctx, d.heir.key, d.heir.entry.Value); errors.Is(err, ErrConflict) {
			return nil // a change was led there, and was answered
		} else if err != nil {
			return err
		}
	case m.decode(now.Value, &next) == nil && next.State != Mark && next.Target == d.heir.key:
		next.Until = d.rec.Until
	case m.foreign != nil:
		// The app has saved its session meanwhile. Nobody was given the new id.
		return m.deleteUnused(ctx, d.heir.key, d.heir.entry)
	default:
		return nil
	}
	_, err = m.put(ctx, d.key, now.Value, &next)
	return err
}
