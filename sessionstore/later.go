package sessionstore

import (
	"bytes"
	"context"
)

// Later returns a session for changes that come when the response to a request is on its way, so
// that no cookie can be set any more. It is the session that the request has left at this place,
// under this ref. The request was given the messages of loaded, for [Change.FlashSeen]. The result
// keeps no record in memory, and nobody knows yet whether there still is one.
//
// Its changes are those of a request under way. They go where a new id has led the session, and are
// dropped if it has ended: see succession.go. A change that calls for a new id, or that begins a
// session, is refused with [ErrNeedsCookie].
func Later(at Place, scope Scope, ref string, loaded *Session) *Session {
	return &Session{
		Scope: scope, later: true, key: at.Key, ref: ref,
		rec: Record{Created: at.Created, Gen: at.gen, Flash: bytes.Clone(loaded.rec.Flash), Data: emptyObject},
	}
}

// takes refuses what needs another cookie in any case, where none can be set.
func (s *Session) takes(c *Change) error {
	switch {
	case s.later && (c.Regenerate || c.Destroy && c.fills()),
		s.NoCookie && c.Destroy && (s.Exists() || c.fills()):
		return ErrNeedsCookie
	default:
		return nil
	}
}

// endPredecessor ends the record that rec has replaced, if nobody has come with the id of rec yet.
// Otherwise the request that has loaded rec has done it.
func (m *Manager) endPredecessor(ctx context.Context, rec *Record) error {
	if rec.Pred == "" {
		return nil
	}
	return m.endAlone(ctx, rec.Pred)
}

// emptied ends the predecessor of a session before a change of [Later] empties it: an app may log
// out by removing all fields.
func (m *Manager) emptied(ctx context.Context, pl *plan) error {
	if !pl.changed || !pl.emptiedLater {
		return nil
	}
	return m.endPredecessor(ctx, &pl.next)
}
