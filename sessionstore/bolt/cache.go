package bolt

import (
	"hash/maphash"
	"sync"
)

const (
	// cacheBytes is about how much memory a file's cache takes at most.
	cacheBytes = 16 << 20

	cacheShards = 64

	// maxCached is the size of the largest record that is cached, so that a few do not drive out all others.
	maxCached = cacheBytes / cacheShards / 4

	// cachedOverhead is what a record takes beside its key and its value: its place in the map, and what is allocated for nothing.
	cachedOverhead = 128
)

// cache holds records of one open file that were read or written of late, so that the next read takes no transaction. As the
// file is this process's alone, it is exact: what it holds is what a transaction would find at that moment.
//
// Before a transaction with changes is committed, their keys are put on hold, and readers ask the file; whether they find
// the old record there or the new one already, they do not cache it. When the transaction has ended, the new records take the places.
type cache struct {
	seed   maphash.Seed
	shards [cacheShards]cacheShard
}

type cacheShard struct {
	mu      sync.Mutex
	records map[string]cached
	bytes   int

	// ends counts the changes whose transactions have ended, so that what was read before is not taken for what is there after.
	ends uint64
}

// cached is a record; without a value, its key is on hold.
type cached record

func (c cached) size(key string) int { return len(key) + cap(c.value) + cachedOverhead }

func newCache() *cache {
	c := &cache{seed: maphash.MakeSeed()}
	for i := range c.shards {
		c.shards[i].records = make(map[string]cached)
	}
	return c
}

func (c *cache) shard(key string) *cacheShard {
	return &c.shards[maphash.String(c.seed, key)%cacheShards]
}

// get returns the record if it is there. If not, the file is to be asked, and learn be given ends with what it says.
func (c *cache) get(key string) (r record, ok bool, ends uint64) {
	s := c.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	r = record(s.records[key])
	return r, r.value != nil, s.ends
}

// learn caches what a transaction has found, which began after ends was got.
func (c *cache) learn(key string, r record, ends uint64) {
	s := c.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.records[key]; !known && s.ends == ends {
		s.put(key, cached(r))
	}
}

// written is what a transaction leaves under a key: a record without a value if it leaves nothing. The value is nobody's to change.
type written struct {
	key string
	record
}

// hold is called before the transaction with these changes may be seen.
func (c *cache) hold(changes []written) {
	for i := range changes {
		s := c.shard(changes[i].key)
		s.mu.Lock()
		s.delete(changes[i].key)
		s.records[changes[i].key] = cached{}
		s.mu.Unlock()
	}
}

// release is called when the transaction has ended. If it has failed, what the file holds from now on is for the next reader to see.
func (c *cache) release(changes []written, failed bool) {
	for i := range changes {
		last := &changes[len(changes)-1-i] // of several to one key, the last counts: it comes first here, and takes the hold away
		s := c.shard(last.key)
		s.mu.Lock()
		if held, ok := s.records[last.key]; ok && held.value == nil {
			delete(s.records, last.key)
			s.ends++
			if !failed && last.value != nil {
				s.put(last.key, cached(last.record))
			}
		}
		s.mu.Unlock()
	}
}

// put adds a record that is not there. The caller holds mu.
func (s *cacheShard) put(key string, r cached) {
	size := r.size(key)
	if size > maxCached {
		return
	}
	s.bytes += size
	if s.bytes > cacheBytes/cacheShards {
		s.evict()
	}
	s.records[key] = r
}

// evict takes any records out, until there is room: which a map comes up with first is random. The caller holds mu.
func (s *cacheShard) evict() {
	for key := range s.records {
		s.delete(key)
		if s.bytes <= cacheBytes/cacheShards {
			return
		}
	}
}

// delete does not mind what is not there. The caller holds mu.
func (s *cacheShard) delete(key string) {
	if old, ok := s.records[key]; ok && old.value != nil {
		s.bytes -= old.size(key)
		delete(s.records, key)
	}
}
