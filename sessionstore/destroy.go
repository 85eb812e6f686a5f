package sessionstore

import (
	"context"
	"errors"
)

// destroy ends the session, and begins a new one with what the change brings. The
// new record is written first: when it cannot be, the client is told so, and is still logged in.
// A client that came with an old id gets no new session: it must not be given a cookie.
func (m *Manager) destroy(ctx *deadline, s *Session, c *Change) (Outcome, error) {
	if s.NoCookie && (s.Exists() || c.fills()) {
		return Outcome{}, ErrNeedsCookie
	}
	begin := *c
	begin.Destroy, begin.Regenerate, begin.FlashSeen = false, false, false
	var out Outcome
	if !s.Former() { // or the client would be given another id
		var err error
		if out, err = m.create(ctx, &Session{Scope: s.Scope}, &begin); err != nil {
			return out, err
		}
	}
	if s.Exists() {
		if _, err := m.enqueue(ctx, s, &Change{Destroy: true}); err != nil {
			return Outcome{}, errors.Join(err, m.withdraw(ctx, out))
		}
		out.Result = Saved
	}
	if out.Cookie == CookieKept {
		out.Cookie = CookieExpired
	}
	return out, nil
}

// withdraw removes a session that was begun and that nobody will be told of.
func (m *Manager) withdraw(ctx context.Context, begun Outcome) error {
	if begun.ID == "" {
		return nil
	}
	key := m.opts.Codec.Key(begun.ID, begun.Ref)
	entry, err := m.store.Get(ctx, key)
	if err != nil {
		return err
	}
	return m.discard(ctx, key, entry)
}

// remove deletes the record under key, whatever it has become since cur was
// read, and the one that it is an alias for before it.
func (m *Manager) remove(ctx context.Context, key string, cur Entry, depth int) error {
	if depth == maxAliases {
		return errAliases
	}
	for cur.Found() {
		var rec Record
		if err := m.decode(cur.Value, &rec); err != nil {
			return err
		}
		if rec.State == Alias {
			target, err := m.store.Get(ctx, rec.Target)
			if err != nil {
				return err
			}
			if err := m.remove(ctx, rec.Target, target, depth+1); err != nil {
				return err
			}
		}
		found, err := m.store.CompareAndDelete(ctx, key, cur.Value)
		if err == nil {
			return nil
		}
		if !errors.Is(err, ErrConflict) {
			return err
		}
		cur = found
	}
	return nil
}
