package memory

import (
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

// sweepShard goes from the least to the most recently used item. Items that are used meanwhile move
// to the end of the ring. The first of them ends the sweep.
func (s *Store) sweepShard(sh *shard) {
	last := s.uses.Load()
	sh.mu.Lock()
	sh.sweep = sh.root.prev
	for sh.sweep != &sh.root && sh.sweep.used <= last {
		now := s.clock()
		for n := 0; n < sweepStep && sh.sweep != &sh.root; n++ {
			it := sh.sweep
			sh.sweep = it.prev
			if it.deadline <= now {
				s.delete(sh, it)
			}
		}
		sh.mu.Unlock()
		runtime.Gosched()
		sh.mu.Lock()
	}
	sh.sweep = &sh.root
	sh.shrink()
	sh.mu.Unlock()
}

// shrink replaces the map if it was much larger once.
func (sh *shard) shrink() {
	if sh.most < mapShrinkAbove || len(sh.items) > sh.most/mapShrinkTo {
		return
	}
	items := make(map[string]*item, len(sh.items))
	for it := sh.root.next; it != &sh.root; it = it.next {
		items[it.key] = it
	}
	sh.items, sh.most = items, len(items)
}
