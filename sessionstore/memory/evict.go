package memory

import "sync/atomic"

// reserve takes room for that many more sessions and bytes, if the limits allow.
// What does not grow is always let through.
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

// evict deletes the session that was not used for the longest time. When others use
// it or take it away meanwhile, it may be the next oldest, or none.
func (s *Store) evict() {
	var from *shard
	oldest := uint64(idle)
	for i := range s.shards {
		if used := s.shards[i].oldest.Load(); used < oldest {
			from, oldest = &s.shards[i], used
		}
	}
	if from == nil {
		return
	}
	now := s.clock()
	from.mu.Lock()
	it := from.root.prev
	if it == &from.root {
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

// take adds n to what is taken, if that is no more than limit afterwards or n
// takes nothing.
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
