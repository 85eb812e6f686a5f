package sessionstore

import "strings"

// KeyReader is implemented by a [ForeignCodec] whose keys are a prefix and the id.
type KeyReader interface {
	// KeyPrefix returns the prefix.
	KeyPrefix() string
}

// KeyPrefix returns the prefix of the keys of sessions, for a [Walker]. It reports false if the
// keys do not show which records are sessions.
func (m *Manager) KeyPrefix() (prefix string, ok bool) {
	if m.foreign == nil {
		return "", true
	}
	reader, ok := m.foreign.(KeyReader)
	if !ok {
		return "", false
	}
	return reader.KeyPrefix(), true
}

// RefOf returns the ref of the session under a key of the store. It reports false if that is not
// the key of a session.
func (m *Manager) RefOf(key string) (ref string, ok bool) {
	if m.foreign == nil {
		return key, ValidID(key) // a ref has the form of an id
	}
	prefix, ok := m.KeyPrefix()
	id, has := strings.CutPrefix(key, prefix)
	if !ok || !has || !m.foreign.ValidID(id) {
		return "", false
	}
	return Ref(id), true
}

// ScopeIn returns the scope in an entry of the store. It is empty if there is none.
func (m *Manager) ScopeIn(e Entry) Scope {
	var rec Record
	if m.foreign != nil || m.opts.Codec.Decode(e.Value, &rec) != nil {
		return Scope{}
	}
	return ParseScope(rec.Scope)
}

// DataIn returns the session's data in an entry of the store, a JSON object in ASCII. An error
// wraps [ErrRecord].
func (m *Manager) DataIn(e Entry) (string, error) {
	var rec Record
	if err := m.opts.Codec.Decode(e.Value, &rec); err != nil {
		return "", err
	}
	return string(rec.Data), nil
}
