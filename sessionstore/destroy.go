package sessionstore

import (
	"context"
	"errors"
)

// destroy ends the session, and begins a new one if the change adds something. The new record is
// written first: if that fails, the client gets an error and is still logged in.
func (m *Manager) destroy(ctx context.Context, s *Session, c *Change) (Outcome, error) {
	out, err := m.create(ctx, s, c.afterDestroy())
	if err != nil {
		return out, err
	}
	if c.First != nil {
		err = c.First(ctx)
	}
	if err == nil && s.Exists() {
		_, err = m.enqueue(ctx, s, &Change{Destroy: true})
		out.Result = Saved
	}
	if err != nil {
		return Outcome{}, errors.Join(err, m.withdraw(ctx, func(ctx context.Context) error { return m.deleteBegun(ctx, out) }))
	}
	if out.Cookie == CookieKept {
		out.Cookie = CookieExpired
	}
	return out, nil
}

// afterDestroy returns the change that begins the next session.
func (c *Change) afterDestroy() *Change {
	begin := *c
	begin.Destroy, begin.Regenerate, begin.FlashSeen = false, false, false
	return &begin
}

// withdraw deletes a new session that no client will get, by del. If that fails, it goes on off the
// request's path: the session may be listed, and would count among those of its user.
func (m *Manager) withdraw(ctx context.Context, del func(context.Context) error) error {
	err := del(ctx)
	if err != nil {
		m.settle(del)
	}
	return err
}

// deleteBegun deletes a new session that no client will get. It has a time limit of its own, since
// the change may have failed because its time was over.
func (m *Manager) deleteBegun(ctx context.Context, begun Outcome) error {
	if begun.ID == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), m.opts.StoreTimeout)
	defer cancel()
	key := m.opts.Codec.Key(begun.ID, begun.Ref)
	entry, err := m.store.Get(ctx, key)
	if err != nil {
		return err
	}
	return m.deleteUnused(ctx, key, entry)
}

// end ends the record under key, even if it has changed since cur was read: see the table in
// succession.go.
//
// If the record leads to a successor, that is ended afterwards. In the other order, a logout might
// fail in between. It would be repeated with the new id, which has ended, and the old id would stay
// valid.
func (m *Manager) end(ctx context.Context, key string, q *queue[*pending], cur Entry, p *pending) error {
	for {
		rec := m.moves.mark(key, m.opts.Now())
		if cur.Found() {
			if err := m.decode(cur.Value, &rec); err != nil {
				return err
			}
		}
		was := rec
		var found Entry
		var err error
		if p.later {
			err = m.endPredecessor(ctx, &rec)
		}
		switch {
		case err != nil:
			return err
		case rec.State == Mark:
			found = cur
		case rec.Gen > 0:
			found, err = m.put(ctx, key, cur.Value, rec.mark(rec.Gen, rec.Target))
		default:
			found, err = m.store.CompareAndDelete(ctx, key, cur.Value)
			rec = m.moves.mark(key, m.opts.Now()) // it may have been deleted before
		}
		q.known = &found
		switch {
		case err == nil:
			if rec.Gen > p.gen {
				p.next = rec.Target
			}
			m.ended(key, &was)
			return nil
		case !errors.Is(err, ErrConflict):
			return err
		}
		cur = found
	}
}
