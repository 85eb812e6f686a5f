package mongodb

import "time"

// SetClock has the store take the time from now.
func (s *Store) SetClock(now func() time.Time) { s.documents.now = now }
