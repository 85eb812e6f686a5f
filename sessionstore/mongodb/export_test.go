package mongodb

import "time"

// SetClock replaces the clock of the store.
func (s *Store) SetClock(now func() time.Time) { s.documents.now = now }
