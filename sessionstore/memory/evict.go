package memory

import "sync/atomic"

// reserve reserves room for more sessions and bytes, if the limits allow. Zero or less always
// succeeds.
func (s *Store) reserve(sessions, bytes int64) bool {
	if !take(&s.sessions, sessions, s.maxSessions.Load()) {
		return false
	}
	if !take(&s.bytes, bytes, s.maxBytes.Load()) {
		s.sessions.Add(-sessions)
		return false
	}
	return true
}

// evict deletes the least recently used session that nobody has logged in to, or, if there is none,
// the least recently used one. If that is used or deleted meanwhile, it deletes the next one of the
// shard, or none.
func (s *Store) evict() {
	for kind := range rings {
		var from *shard
		oldest := uint64(idle)
		for i := range s.shards {
			if used := s.shards[i].rings[kind].oldest.Load(); used < oldest {
				from, oldest = &s.shards[i], used
			}
		}
		if from != nil {
			s.evictFrom(from, &from.rings[kind])
			return
		}
	}
}

func (s *Store) evictFrom(from *shard, r *ring) {
	now := s.clock()
	from.mu.Lock()
	it := r.root.prev
	if it == &r.root {
		from.mu.Unlock()
		return
	}
	early := it.deadline > now
	s.delete(from, it)
	from.mu.Unlock()
	if early && s.onEvict != nil {
		s.onEvict()
	}
}

// take adds n to taken, unless n is positive and the sum would exceed the limit.
func take(taken *atomic.Int64, n, limit int64) bool {
	for {
		before := taken.Load()
		if n > 0 && before+n > limit {
			return false
		}
		if taken.CompareAndSwap(before, before+n) {
			return true
		}
	}
}
