package sessionstore

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"
	"time"
)

// touches remembers which sessions this process has touched recently. A session is touched once in
// an interval, even if several requests find at once that a touch is due. It is for stores on the
// network, and for this promise. In a local store it saves only 0.2 µs for each touch (go test -run
// XXX -bench 'Touch$' ./sessionstore, with GOGC=off). It may forget a session: one touch too many
// does no harm.
type touches struct {
	mu     sync.Mutex
	recent [256]struct {
		key string
		at  time.Time
	}
}

var touchSeed = maphash.MakeSeed()

// claim reports whether the caller should touch key, as nobody has within the interval.
func (t *touches) claim(key string, now time.Time, interval time.Duration) bool {
	slot := maphash.String(touchSeed, key) % uint64(len(t.recent))
	t.mu.Lock()
	defer t.mu.Unlock()
	r := &t.recent[slot]
	if r.key == key && now.Sub(r.at) < interval {
		return false
	}
	r.key, r.at = key, now
	return true
}

func (t *touches) release(key string) {
	slot := maphash.String(touchSeed, key) % uint64(len(t.recent))
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.recent[slot].key == key {
		t.recent[slot].key = ""
	}
}

// TouchDue reports whether the last touch of the session is so old that this use should be recorded
// with [Manager.Touch].
func (s *Session) TouchDue() bool { return s.touchDue }

// lookInterval is the longest time between two calls of [Manager.Refresh] by a request that takes
// long.
const lookInterval = time.Minute

// RefreshInterval returns how often a request that takes long must call [Manager.Refresh]. Then the
// idle timeout does not end the session meanwhile, and it is found after it has got a new id. It is
// zero if there is no session.
func (m *Manager) RefreshInterval(s *Session) time.Duration {
	if !s.Exists() {
		return 0
	}
	return m.refreshInterval(&s.rec)
}

func (m *Manager) refreshInterval(rec *Record) time.Duration {
	idle := m.idle(rec)
	return min(m.touchInterval(idle), idle/3, lookInterval)
}

// Touch records that the session was used: the store keeps its record for another idle timeout.
// Touch changes no data. It does nothing if the record has changed since, as that was a use too, or
// if this manager has touched the session within the touch interval.
func (m *Manager) Touch(ctx context.Context, s *Session) error {
	return m.touch(ctx, s, s.rec.CookieMark, s.FirstUse() || s.unsaved)
}

// TouchGiven is [Manager.Touch] for a session whose cookie a response has set again, see
// [Session.CookieOutdated]. It saves that too. If it fails, or the record has changed since, the
// next response sets the cookie once more.
func (m *Manager) TouchGiven(ctx context.Context, s *Session) error {
	return m.touch(ctx, s, m.opts.CookieMark, true)
}

func (m *Manager) touch(ctx context.Context, s *Session, mark string, save bool) error {
	if !s.Exists() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, m.opts.StoreTimeout)
	defer cancel()
	rec := s.rec
	rec.Pred, rec.Idx, rec.CookieMark = "", 0, mark
	save = m.foreign == nil && m.remember(&rec, s.Client) || save
	return m.touchRecord(ctx, s.key, s.entry, rec, m.touchInterval(m.idle(&rec)), save)
}

// Refresh is [Manager.Touch] for a session that was loaded long ago. It reads the record first. If
// the session has got a new id since, Refresh touches the successor too, and remembers its key, as
// the mark that leads there is not kept for ever. A request that came with the old id later does
// not keep the successor alive.
func (m *Manager) Refresh(ctx context.Context, s *Session) error {
	if !s.Exists() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, m.opts.StoreTimeout)
	defer cancel()
	key, gen := s.key, s.rec.Gen
	for range maxHops {
		entry, err := m.store.Get(ctx, key)
		var rec Record
		if err == nil {
			rec, err = m.found(key, entry)
		}
		if err == nil {
			err = m.keepAlive(ctx, key, entry, rec)
		}
		if err != nil {
			return fmt.Errorf("touching session: %w", err)
		}
		if rec.Gen <= gen {
			return nil
		}
		m.moves.add(key, rec.Gen, rec.Target, m.opts.Now(), m.lead())
		key, gen = rec.Target, 0
	}
	return nil
}

// keepAlive touches a record that [Manager.Refresh] has loaded, if a touch is due, or if the
// session could end before the next look.
func (m *Manager) keepAlive(ctx context.Context, key string, entry Entry, rec Record) error {
	interval, now := m.refreshInterval(&rec), m.opts.Now()
	left, due := m.idleLeft(&rec, entry.TTL, now)
	switch {
	case left <= 2*interval:
		return m.touchRecord(ctx, key, entry, rec, interval, false)
	case due || entry.TTLUnknown || rec.Created.After(now):
		return m.touchRecord(ctx, key, entry, rec, m.touchInterval(m.idle(&rec)), false)
	default:
		return nil
	}
}

// touchRecord touches a record that was loaded as entry, unless this manager has touched it within
// the interval. With save, it is saved even then. A session that has an end does not live longer by
// being used.
func (m *Manager) touchRecord(ctx context.Context, key string, entry Entry, rec Record, interval time.Duration, save bool) error {
	if rec.State != Live || !rec.Until.IsZero() {
		return nil
	}
	now := m.opts.Now()
	save = save || rec.Created.After(now)
	rec.notFromTheFuture(now)
	idle := m.idle(&rec)
	if !m.touches.claim(key, now, interval) && !save {
		return nil
	}
	// The record must say for how long it is kept: see idleLeft. The configuration may have changed
	// since it was saved.
	kept := rec.kept()
	save = save || rec.Idle != idle
	rec.Idle = idle
	// What is not listed is not saved, so that the next use tries again, and it is not kept for
	// longer than its list.
	unlisted := m.list(ctx, key, &rec, false)
	var err error
	if unlisted != nil || !save {
		err = m.store.Touch(ctx, key, entry.Value, kept)
	} else {
		rec.Listed = now
		if _, err = m.put(ctx, key, entry.Value, &rec); errors.Is(err, ErrConflict) {
			err = nil
		}
	}
	if err = errors.Join(err, unlisted); err != nil {
		m.touches.release(key)
		return fmt.Errorf("touching session: %w", err)
	}
	return nil
}
