package sessionstore

import (
	"sync"
	"time"
)

// newID returns an id of the form that the codec wants.
func (m *Manager) newID() string {
	if m.foreign != nil {
		return m.foreign.NewID()
	}
	return NewID()
}

// ValidID reports whether id may be that of a session: a store is not asked for others.
func (m *Manager) ValidID(id string) bool {
	if m.foreign != nil {
		return m.foreign.ValidID(id)
	}
	return ValidID(id)
}

// Foreign reports whether the sessions are in another program's format: see [ForeignCodec].
func (m *Manager) Foreign() bool { return m.foreign != nil }

// moves remembers where regenerated sessions have gone whose format has no aliases, so that requests under way here
// commit to them, and a logout by the former id ends them. Other processes do not know.
type moves struct {
	mu sync.Mutex

	// Each generation holds what was added within a grace; the older one is then forgotten as a whole.
	newer, older map[string]move
	turn         time.Time
}

type move struct {
	to    string
	until time.Time
}

func (ms *moves) add(from, to string, now time.Time, grace time.Duration) {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	if !now.Before(ms.turn) {
		ms.newer, ms.older, ms.turn = make(map[string]move), ms.newer, now.Add(grace)
	}
	ms.newer[from] = move{to, now.Add(grace)}
}

// to returns where the session under key has moved, or nothing.
func (ms *moves) to(key string, now time.Time) string {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	for _, generation := range []map[string]move{ms.newer, ms.older} {
		if m, found := generation[key]; found && now.Before(m.until) {
			return m.to
		}
	}
	return ""
}
