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
// shard, or none. It never deletes the session of the key spare, for which room is made.
func (s *Store) evict(spare string) {
	spared := s.shard(spare)
	for kind := range rings {
		var from *shard
		oldest := uint64(idle)
		for i := range s.shards {
			sh := &s.shards[i]
			used := sh.rings[kind].oldest.Load()
			if sh == spared {
				used = sh.oldestBut(kind, spare)
			}
			if used < oldest {
				from, oldest = sh, used
			}
		}
		if from != nil {
			s.evictFrom(from, &from.rings[kind], spare)
			return
		}
	}
}

// oldestBut is oldest of a ring without the session of a key.
func (sh *shard) oldestBut(kind int, spare string) uint64 {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if it := sh.rings[kind].last(spare); it != nil {
		return it.used
	}
	return idle
}

// last returns the least recently used item that is not of the key spare, or nil.
func (r *ring) last(spare string) *item {
	it := r.root.prev
	if it != &r.root && it.key == spare {
		it = it.prev
	}
	if it == &r.root {
		return nil
	}
	return it
}

func (s *Store) evictFrom(from *shard, r *ring, spare string) {
	now := s.clock()
	from.mu.Lock()
	it := r.last(spare)
	if it == nil {
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
