package sessionstore

import (
	"context"
	"fmt"
	"time"
)

// Place says where the record of a session is, for responses that go on long after they have begun.
// The zero value means that there is no record.
type Place struct {
	// Key is the key of the record.
	Key string

	// Created is when the session began, under its first id. End is when its absolute timeout is
	// over. Both are zero if the format of the record has no creation time.
	Created, End time.Time

	// gen is the Gen of the record when the session was loaded.
	gen uint64
}

// Place says where the session is. It is the zero value if there is none.
func (s *Session) Place() Place {
	if !s.Exists() {
		return Place{}
	}
	return Place{Key: s.key, Created: s.rec.Created, End: s.AbsoluteEnd(), gen: s.rec.Gen}
}

// Sight is what a [Manager.Look] has found.
type Sight struct {
	live   bool
	gen    uint64
	target string
}

// Look reads the record under a key, to find out whether sessions that were there have ended. It
// writes nothing and does not count as a use. An error wraps [ErrRecord] or [ErrUnavailable].
func (m *Manager) Look(ctx context.Context, key string) (Sight, error) {
	ctx, cancel := context.WithTimeout(ctx, m.opts.StoreTimeout)
	defer cancel()
	entry, err := m.store.Get(ctx, key)
	var rec Record
	if err == nil {
		rec, err = m.found(key, entry)
	}
	if err != nil {
		return Sight{}, fmt.Errorf("looking for session: %w", err)
	}
	return Sight{live: rec.State == Live, gen: rec.Gen, target: rec.Target}, nil
}

// From says where a session is now that was at this place: still there, at its successor, or
// nowhere, because it has ended. See succession.go.
func (s Sight) From(p Place) Place {
	switch {
	case s.live:
		return p
	case s.gen > p.gen:
		return Place{Key: s.target, Created: p.Created, End: p.End}
	default:
		return Place{}
	}
}

// ended tells [Options.Ended] that the record under key has ended.
func (m *Manager) ended(key string, rec *Record) {
	if m.opts.Ended != nil {
		m.opts.Ended(Place{Key: key, Created: rec.Created})
	}
}
