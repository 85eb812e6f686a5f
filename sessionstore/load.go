package sessionstore

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Load returns the session with this id. If it is missing, expired or of another scope, that is no
// error: the session then does not exist.
//
// It takes one read of the store. If the id is new and has not been used before, the old id has
// ended when Load returns. An error wraps [ErrRecord] or [ErrUnavailable], or is that of the
// context. The session is not nil even then.
func (m *Manager) Load(ctx context.Context, id string, scope Scope) (*Session, error) {
	return m.load(ctx, id, Ref(id), scope, neverClosed)
}

// LoadKnown is [Manager.Load] for callers that have the id's [Ref] already, which takes a SHA-256.
// tokens are the values of [Session.Browser] that the client has sent. If the right one is missing,
// the browser was closed.
func (m *Manager) LoadKnown(ctx context.Context, id, ref string, scope Scope, tokens []string) (*Session, error) {
	s, err := m.load(ctx, id, ref, scope, closedFor(tokens))
	if s.rec.Browser != "" && !s.rec.BrowserSeen && slices.Contains(tokens, s.rec.Browser) {
		s.rec.BrowserSeen, s.browserNew = true, true
	}
	return s, err
}

// LoadRef returns the session with this ref. A ref is no secret, so the caller must know by other
// means that the client has this session. It works only with a [Codec] that makes its keys from
// refs. No cookie can be set for the session.
func (m *Manager) LoadRef(ctx context.Context, ref string, scope Scope) (*Session, error) {
	s, err := m.load(ctx, "", ref, scope, neverClosed)
	s.NoCookie = true
	return s, err
}

func (m *Manager) load(ctx context.Context, id, ref string, scope Scope, closed func(*Record) bool) (*Session, error) {
	s := &Session{Scope: scope}
	ctx, cancel := context.WithTimeout(ctx, m.opts.StoreTimeout)
	defer cancel()
	key := m.opts.Codec.Key(id, ref)
	entry, err := m.store.Get(ctx, key)
	if err != nil {
		return s, fmt.Errorf("loading session: %w", err)
	}
	live, err := m.read(s, entry)
	if live {
		live, err = m.renew(ctx, key, s, closed)
	}
	if live && s.rec.Pred != "" {
		if err = m.firstUse(ctx, key, &s.rec); err != nil {
			err = fmt.Errorf("loading session: %w", err)
		}
	}
	if err != nil || !live {
		s.forget()
		return s, err
	}
	s.id, s.ref, s.key = id, ref, key
	return s, nil
}

// Peek is [Manager.Load] without any write. The session must not be changed or touched. Peek
// returns the record, too.
func (m *Manager) Peek(ctx context.Context, id string, scope Scope) (*Session, Entry, error) {
	s, entry, _, err := m.peek(ctx, id, scope, neverClosed)
	return s, entry, err
}

// PeekKnown is [Manager.Peek] for a client that has sent these tokens, as for [Manager.LoadKnown].
// closed says that the browser was closed, so that only lasting cookies are left.
func (m *Manager) PeekKnown(ctx context.Context, id string, scope Scope, tokens []string) (s *Session, entry Entry, closed bool, err error) {
	return m.peek(ctx, id, scope, closedFor(tokens))
}

func (m *Manager) peek(ctx context.Context, id string, scope Scope, isClosed func(*Record) bool) (_ *Session, _ Entry, closed bool, _ error) {
	s, ref := &Session{Scope: scope}, Ref(id)
	ctx, cancel := context.WithTimeout(ctx, m.opts.StoreTimeout)
	defer cancel()
	entry, err := m.store.Get(ctx, m.opts.Codec.Key(id, ref))
	if err != nil {
		return s, entry, false, fmt.Errorf("loading session: %w", err)
	}
	live, err := m.read(s, entry)
	closed = live && s.rec.Browser != "" && isClosed(&s.rec)
	if live && (s.idleLeft <= 0 || closed) {
		var end time.Time
		if s.rec, end, err = m.rest(&s.rec, s.loaded); err != nil {
			err = fmt.Errorf("loading session: %w", err)
		}
		live, s.idleLeft = !end.IsZero(), s.rec.Idle
	}
	if err != nil || !live {
		s.forget()
	} else {
		s.id, s.ref = id, ref
	}
	return s, entry, closed, err
}

// Current reports whether the session has not ended or got a successor since it was loaded.
// Otherwise its cookie must not be set again: it could replace that of the successor.
func (m *Manager) Current(ctx context.Context, s *Session) bool {
	ctx, cancel := context.WithTimeout(ctx, m.opts.StoreTimeout)
	defer cancel()
	entry, err := m.store.Get(ctx, s.key)
	if err != nil {
		return false
	}
	rec, err := m.found(s.key, entry)
	return err == nil && rec.State == Live && rec.Gen == 0
}

// read decodes entry into s, and reports whether it is a session of the right scope. If its idle
// timeout is over, something may be left of it: see renew.
func (m *Manager) read(s *Session, entry Entry) (bool, error) {
	if !entry.Found() {
		return false, nil
	}
	if err := m.decode(entry.Value, &s.rec); err != nil {
		return false, fmt.Errorf("loading session: %w", err)
	}
	s.entry = entry
	s.loaded, s.absolute = m.opts.Now(), m.opts.AbsoluteTimeout
	s.idleLeft, s.touchDue = m.idleLeft(&s.rec, entry.TTL, s.loaded)
	s.outdated = s.rec.CookieMark != m.opts.CookieMark
	s.unsaved = s.rec.Created.After(s.loaded) || m.foreign == nil && s.rec.UserField != m.userField
	s.touchDue = s.touchDue || entry.TTLUnknown || s.unsaved
	s.rec.notFromTheFuture(s.loaded)
	inScope := m.foreign != nil || s.Scope.is(s.rec.Scope)
	s.absence = Over
	if !inScope {
		s.absence = OtherScope
	}
	if s.rec.State != Live || !inScope || m.tooOld(&s.rec, s.loaded) {
		return false, nil
	}
	return s.idleLeft > 0 || s.rec.hasRest(), nil
}

// decode fills rec from a stored value.
func (m *Manager) decode(value []byte, rec *Record) error {
	err := m.opts.Codec.Decode(value, rec)
	if m.foreign != nil {
		rec.Idle = m.opts.IdleTimeout
	}
	if err == nil && rec.UserField != m.userField && rec.State != Index {
		rec.User = m.userIn(rec.Data)
	}
	return err
}

// notFromTheFuture sets a creation time in the future, which comes from a fast clock, to now.
// Otherwise the session would outlive the absolute timeout.
func (r *Record) notFromTheFuture(now time.Time) {
	if r.Created.After(now) {
		r.Created = now
	}
}

// expired computes the timeouts from the record with the present configuration.
func (m *Manager) expired(rec *Record, ttl time.Duration, now time.Time) bool {
	left, _ := m.idleLeft(rec, ttl, now)
	return left <= 0 || m.tooOld(rec, now)
}

// tooOld reports whether the absolute timeout is over.
func (m *Manager) tooOld(rec *Record, now time.Time) bool {
	return !rec.Created.IsZero() && now.Sub(rec.Created) >= m.opts.AbsoluteTimeout
}

// idleLeft returns how long the session lives on if nobody uses it, and whether it should be
// touched.
//
// The store keeps a record for rec.Idle after its last use. So rec.Idle and the time to live show
// when that was, even if the configuration was different then.
func (m *Manager) idleLeft(rec *Record, ttl time.Duration, now time.Time) (left time.Duration, due bool) {
	switch {
	case !rec.Until.IsZero():
		return rec.Until.Sub(now), false
	case rec.State != Live:
		return ttl, false
	}
	idle := m.idle(rec)
	left = min(ttl+(idle-rec.kept()), idle)
	return left, rec.Idle != idle || idle-left >= m.touchInterval(idle)
}

// idle returns the idle timeout of the session.
func (m *Manager) idle(rec *Record) time.Duration {
	switch {
	case rec.OwnIdle:
		return min(rec.Idle, m.opts.AbsoluteTimeout).Truncate(time.Millisecond)
	case rec.User == "":
		return m.opts.AnonymousTimeout
	default:
		return m.opts.IdleTimeout
	}
}

func (m *Manager) touchInterval(idle time.Duration) time.Duration {
	if idle < m.opts.IdleTimeout {
		return min(m.opts.TouchInterval, idle/defaultTouchShare)
	}
	return m.opts.TouchInterval
}
