package sessionstore

import (
	"context"
	"fmt"
	"time"
)

// maxAliases is how many regenerations a request may have slept through. Each takes
// a response of the backend's within the grace of the one before.
const maxAliases = 32

// Load finds the session with this id. That it is missing, expired or of another
// scope is not an error: the session is then anonymous.
//
// It takes one read of the store, or one more for each regeneration since, if the
// id has been regenerated within the grace. An error wraps [ErrRecord] or
// [ErrUnavailable], or is the context's; the session beside it is anonymous.
func (m *Manager) Load(ctx context.Context, id string, scope Scope) (*Session, error) {
	return m.load(ctx, id, Ref(id), scope)
}

// LoadKnown is [Manager.Load] for those who have the id's [Ref] already: to work it out takes a SHA-256.
func (m *Manager) LoadKnown(ctx context.Context, id, ref string, scope Scope) (*Session, error) {
	return m.load(ctx, id, ref, scope)
}

// LoadRef finds the session with this ref. It is for those who know from
// elsewhere that the client is in this session: a ref is not a secret. It works
// only with a [Codec] that makes keys from refs. Nobody can be given a cookie for it.
func (m *Manager) LoadRef(ctx context.Context, ref string, scope Scope) (*Session, error) {
	s, err := m.load(ctx, "", ref, scope)
	s.NoCookie = true
	return s, err
}

func (m *Manager) load(ctx context.Context, id, ref string, scope Scope) (*Session, error) {
	// Both go to the heap, since the store and the codec see them: in one piece.
	room := new(struct {
		session Session
		ctx     deadline
	})
	s, dctx := &room.session, &room.ctx
	s.Scope = scope
	dctx.Context, dctx.at = ctx, time.Now().Add(m.opts.StoreTimeout)
	defer dctx.stop()

	key := m.opts.Codec.Key(id, ref)
	entry, err := m.store.Get(dctx, key)
	if err != nil {
		return s, fmt.Errorf("loading session: %w", err)
	}
	live, err := m.read(s, entry)
	if err != nil || !live {
		s.forget()
		return s, err
	}
	s.id, s.ref, s.key = id, ref, key
	if s.Former() {
		// A session that ended after its id was regenerated has ended for the
		// old id too, at once: not only when the grace is over.
		_, _, target, err := m.follow(dctx, s.rec.Target)
		if err != nil {
			err = fmt.Errorf("loading session: %w", err)
		}
		if !target.Found() {
			s.forget()
			return s, err
		}
	}
	return s, nil
}

// read puts what entry holds into s, and reports whether that is a session for s's scope.
func (m *Manager) read(s *Session, entry Entry) (bool, error) {
	if !entry.Found() {
		return false, nil
	}
	if err := m.decode(entry.Value, &s.rec); err != nil {
		return false, fmt.Errorf("loading session: %w", err)
	}
	s.entry = entry
	s.loaded, s.absolute = m.opts.Now(), m.opts.AbsoluteTimeout
	if s.rec.Created.After(s.loaded) {
		s.rec.Created = s.loaded // a clock went wrong: it counts as now
	}
	s.idleLeft, s.touchDue = m.idleLeft(&s.rec, entry.TTL)
	s.touchDue = s.touchDue || entry.TTLUnknown
	inScope := m.foreign != nil || s.Scope.is(s.rec.Scope)
	return s.rec.State != Ended && inScope && !m.expired(&s.rec, entry.TTL, s.loaded), nil
}

// decode fills rec from a stored value.
func (m *Manager) decode(value []byte, rec *Record) error {
	err := m.opts.Codec.Decode(value, rec)
	if m.foreign != nil {
		rec.Idle = m.opts.IdleTimeout
	}
	return err
}

// follow goes from the key that an alias leads to on to the record that is not an
// alias, and returns it with its key. There is no entry if there is no live one.
func (m *Manager) follow(ctx context.Context, key string) (string, Record, Entry, error) {
	var rec Record
	for range maxAliases {
		entry, err := m.store.Get(ctx, key)
		if err != nil || !entry.Found() {
			return key, rec, Entry{}, err
		}
		if err := m.decode(entry.Value, &rec); err != nil {
			return key, rec, Entry{}, err
		}
		if rec.State != Alias {
			if rec.State == Ended || m.expired(&rec, entry.TTL, m.opts.Now()) {
				entry = Entry{}
			}
			return key, rec, entry, nil
		}
		key = rec.Target
	}
	return key, rec, Entry{}, errAliases
}

var errAliases = fmt.Errorf("%w: the session's id was regenerated too often at once", ErrUnavailable)

// expired computes both timeouts from the record with the present configuration.
func (m *Manager) expired(rec *Record, ttl time.Duration, now time.Time) bool {
	// A creation time in the future, of a clock that went wrong, counts as now.
	if !rec.Created.IsZero() && rec.Created.Before(now) && now.Sub(rec.Created) >= m.opts.AbsoluteTimeout {
		return true
	}
	left, _ := m.idleLeft(rec, ttl)
	return left <= 0
}

// idleLeft returns how long the session lives on if nobody uses it, and whether it should be touched.
//
// The store lets a record live rec.Idle after its last use, so that time and
// what is left of it tell when that was, whatever the configuration was then.
func (m *Manager) idleLeft(rec *Record, ttl time.Duration) (left time.Duration, due bool) {
	switch rec.State {
	case Live:
	case Alias:
		return ttl - rec.Idle + m.opts.RegenerateGrace, false
	default:
		return ttl, false
	}
	idle := m.idle(rec)
	left = min(ttl+(idle-rec.Idle), idle)
	return left, rec.Idle != idle || idle-left >= m.touchInterval(idle)
}

// idle returns the idle timeout that holds for the session.
func (m *Manager) idle(rec *Record) time.Duration {
	if rec.OwnIdle {
		return min(rec.Idle, m.opts.AbsoluteTimeout).Truncate(time.Millisecond)
	}
	return m.opts.IdleTimeout
}

func (m *Manager) touchInterval(idle time.Duration) time.Duration {
	if idle < m.opts.IdleTimeout {
		return min(m.opts.TouchInterval, idle/defaultTouchShare)
	}
	return m.opts.TouchInterval
}
