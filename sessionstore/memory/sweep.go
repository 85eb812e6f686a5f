package memory

import (
	"maps"
	"runtime"
	"time"
)

const (
	// sweepStep is how many sessions the sweeper looks at before it releases the lock: about 20
	// microseconds.
	sweepStep = 256

	// A map that has had mapShrinkAbove sessions and holds one mapShrinkTo-th of them is replaced,
	// as maps do not return memory.
	mapShrinkAbove = 1024
	mapShrinkTo    = 8
)

// sweep deletes expired sessions, one shard after the other, until the store is closed.
func (s *Store) sweep(interval time.Duration) {
	tick := time.NewTicker(max(interval/shardCount, time.Microsecond))
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-s.quit:
			return
		case <-tick.C:
			s.sweepShard(&s.shards[i%shardCount])
		}
	}
}

func (s *Store) sweepShard(sh *shard) {
	sh.mu.Lock()
	for i := range sh.rings {
		s.sweepRing(sh, &sh.rings[i].root)
	}
	sh.shrink()
	sh.mu.Unlock()
}

// sweepRing goes from the least to the most recently used item. Items that are used meanwhile move
// to the end of the ring. The first of them ends the sweep. The caller holds the lock, which is
// released now and then.
func (s *Store) sweepRing(sh *shard, root *item) {
	last := s.uses.Load()
	sh.sweep = root.prev
	for sh.sweep != root && sh.sweep.used <= last {
		now := s.clock()
		for n := 0; n < sweepStep && sh.sweep != root; n++ {
			it := sh.sweep
			sh.sweep = it.prev
			if it.deadline <= now {
				s.expire(sh, it)
			}
		}
		sh.mu.Unlock()
		runtime.Gosched()
		sh.mu.Lock()
	}
	sh.sweep = root
}

// shrink replaces the map if it was much larger once.
func (sh *shard) shrink() {
	if sh.most < mapShrinkAbove || len(sh.items) > sh.most/mapShrinkTo {
		return
	}
	items := make(map[string]*item, len(sh.items))
	maps.Copy(items, sh.items)
	sh.items, sh.most = items, len(items)
}
