package sessionstore

import (
	"context"
	"errors"
	"time"
)

// regenerates reports whether the change gives its session a new id. One that
// empties the session ends it instead, and a client whose id is an old one already gets no other.
func (m *Manager) regenerates(a *applied, p *pending) bool {
	return (p.change.Regenerate || a.elevated != notElevated) && !p.former && a.next.State == Live
}

// regenerate moves the session under key to a new id, with the change of p made to it.
//
// The new record comes first, so that there is no moment without the session; nobody
// knows its id yet. Then the old record is turned into an alias, if it is still
// what the change was made to. Until that has happened, nothing has. fresh says
// that cur was read for this change: see saveSome.
func (m *Manager) regenerate(ctx context.Context, key string, q *queue, cur Entry, fresh bool, p *pending) error {
	id := m.newID()
	ref := Ref(id)
	newKey := m.opts.Codec.Key(id, ref)
	var moved Entry

	for conflicts := 0; ; conflicts++ {
		var rec Record
		if cur.Found() {
			if err := m.decode(cur.Value, &rec); err != nil {
				return errors.Join(err, m.discard(ctx, newKey, moved))
			}
		}
		q.known = &cur
		gone := !cur.Found() || m.expired(&rec, cur.TTL, m.opts.Now())
		if !gone && rec.State == Alias {
			p.next = rec.Target
			return m.discard(ctx, newKey, moved)
		}
		var a applied
		var err error
		if !gone {
			a, err = m.apply(&rec, p.change, p.given)
		}
		if gone || err != nil || !m.regenerates(&a, p) {
			if !fresh {
				if cur, err = m.store.Get(ctx, key); err != nil {
					return err
				}
				fresh = true
				continue
			}
			return m.withoutRegenerating(ctx, key, q, newKey, moved, p)
		}
		written, err := m.put(ctx, newKey, moved.Value, &a.next)
		switch {
		case err == nil:
			moved = written
		case errors.Is(err, ErrTooLarge):
			p.err = err
			return m.discard(ctx, newKey, moved)
		default:
			return err
		}

		aliased, err := m.aliasOf(&rec, newKey)
		if err != nil {
			p.err = err // it is too large
			return m.discard(ctx, newKey, moved)
		}
		saved, err := m.insist(ctx, key, cur.Value, aliased, m.opts.aliasTTL())
		switch {
		case err == nil:
			q.known = &saved
			if aliased == nil {
				m.moves.add(key, newKey, m.opts.Now(), m.opts.RegenerateGrace)
			}
			p.outcome = m.given(id, ref, &a.next)
			p.outcome.Conflicts = conflicts
			return nil
		case !errors.Is(err, ErrConflict):
			doubtful := regeneration{key: key, former: cur, alias: aliased, newKey: newKey, moved: moved}
			m.opts.Go(func() { m.undo(doubtful) })
			return err
		}
		cur, fresh = saved, true
	}
}

// aliasOf returns what takes the place of rec when its session has moved: nothing, in a format without aliases.
//
// The old id goes on showing what it showed before this response: whoever planted it must not
// see the login that the response may be.
func (m *Manager) aliasOf(rec *Record, newKey string) ([]byte, error) {
	if m.foreign != nil {
		return nil, nil
	}
	alias := *rec
	alias.State, alias.Target, alias.Idle = Alias, newKey, m.opts.aliasTTL()
	return m.opts.Codec.Encode(&alias)
}

// insistPause is how long to wait before a save is tried again that must not stay in doubt.
const insistPause = 10 * time.Millisecond

// insist is a compare-and-set, or without a value a compare-and-delete, that does not take an error for an answer as long
// as there is time.
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

// withoutRegenerating commits a change that called for a new id on the data as they
// were, and does so no more on what is there now.
func (m *Manager) withoutRegenerating(ctx context.Context, key string, q *queue, newKey string, moved Entry, p *pending) error {
	if err := m.discard(ctx, newKey, moved); err != nil {
		return err
	}
	_, err := m.saveSome(ctx, key, q, []*pending{p})
	return err
}

// discard removes a record that was written for an id that nobody will be given.
func (m *Manager) discard(ctx context.Context, key string, entry Entry) error {
	if !entry.Found() {
		return nil
	}
	_, err := m.store.CompareAndDelete(ctx, key, entry.Value)
	return err
}
