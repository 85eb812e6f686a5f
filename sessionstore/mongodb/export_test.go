package mongodb

import "time"

// SetClock replaces the clock of the store.
func (s *Store) SetClock(now func() time.Time) { s.documents.now = now }

// SetIndexInterval replaces the time after which the index is made again. It must be called before
// the first use of the store.
func (s *Store) SetIndexInterval(d time.Duration) { s.indexInterval = d }
