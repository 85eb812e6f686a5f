package sessionstore

// Queues is how many records somebody is changing.
func (m *Manager) Queues() int {
	m.sessions.mu.Lock()
	defer m.sessions.mu.Unlock()
	m.indexes.mu.Lock()
	defer m.indexes.mu.Unlock()
	return len(m.sessions.byKey) + len(m.indexes.byKey)
}

// The limits that tests stand on both sides of.
const (
	MaxHops    = maxHops
	MaxBatch   = maxBatch
	Growth     = growth
	MaxFlash   = maxFlash
	MaxListed  = maxListed
	MaxEntries = maxEntries
	MaxUser    = maxUser
	Lookups    = lookups
)

// LeadTime is how long what leads to a successor is kept at least.
const LeadTime = leadTime

// Gen is how many successors the session had when it was loaded.
func (s *Session) Gen() uint64 { return s.rec.Gen }
