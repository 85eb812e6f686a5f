package bolt

import "github.com/caddy-session/caddy-session/sessionstore"

// Space implements [sessionstore.Spacer]. New records use the free space first. Only [Compact]
// gives it back.
func (s *Store) Space() (size, free int64, ok bool) {
	f := s.current.Load()
	if f == nil {
		return 0, 0, false
	}
	info, err := f.fd.Stat()
	if err != nil {
		return 0, 0, false
	}
	stats := f.db.Stats()
	return info.Size(), int64(stats.FreePageN+stats.PendingPageN) * int64(f.db.Info().PageSize), true
}

var _ sessionstore.Spacer = (*Store)(nil)
