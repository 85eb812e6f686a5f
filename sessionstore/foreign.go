package sessionstore

// newID returns a new id in the form of the codec.
func (m *Manager) newID() string {
	if m.foreign != nil {
		return m.foreign.NewID()
	}
	return NewID()
}

// ValidID reports whether id may be that of a session. The store is not asked for others.
func (m *Manager) ValidID(id string) bool {
	if m.foreign != nil {
		return m.foreign.ValidID(id)
	}
	return ValidID(id)
}

// Foreign reports whether the sessions are in another program's format: see [ForeignCodec].
func (m *Manager) Foreign() bool { return m.foreign != nil }
