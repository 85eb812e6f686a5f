package sessionstore

// Queues is how many records somebody is changing.
func (m *Manager) Queues() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.queues)
}

// The limits that tests stand on both sides of.
const (
	MaxHops  = maxHops
	MaxBatch = maxBatch
	Growth   = growth
	MaxFlash = maxFlash
)

// LeadTime is how long what leads to a successor is kept at least.
const LeadTime = leadTime

// Gen is how many successors the session had when it was loaded.
func (s *Session) Gen() uint64 { return s.rec.Gen }
