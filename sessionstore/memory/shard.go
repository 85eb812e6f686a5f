package memory

import (
	"bytes"
	"hash/maphash"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// shardCount is how many locks the sessions share.
const shardCount = 64

// overhead is the memory of a session beside its key and record, in bytes: the item, its place in
// the map, and what the allocator rounds up. A test compares it with the heap.
const overhead = 200

func cost(key string, value []byte) int64 { return int64(len(key) + len(value) + overhead) }

// item is a session, in one of the rings of its shard.
type item struct {
	key        string
	value      []byte
	deadline   time.Duration // since the epoch
	used       uint64        // the store's count of uses at the last use
	ring       *ring
	prev, next *item
}

func (it *item) is(old []byte) bool { return old != nil && bytes.Equal(it.value, old) }

// entry returns the zero Entry for no item.
func (it *item) entry(now time.Duration) sessionstore.Entry {
	if it == nil {
		return sessionstore.Entry{}
	}
	return sessionstore.Entry{Value: it.value, TTL: it.deadline - now}
}

// shard is a part of the sessions under one lock.
type shard struct {
	mu    sync.Mutex
	items map[string]*item
	most  int // the most items that the map has had, as maps do not shrink
	rings [rings]ring
	sweep *item // the next item of the sweeper; the root of its ring when it is done

	_ [64]byte // keeps the locks of two shards out of one cache line
}

// The rings of a shard, in the order in which sessions are evicted.
const (
	anonymous = iota // see [sessionstore.Anonymous]
	others
	rings
)

// ring holds items through its root: the most recently used is next to the root, the least recently
// used is previous to it.
type ring struct {
	root item

	// oldest is the last use of the least recently used item, or idle. It is read without the lock,
	// to find the shard with the oldest item.
	oldest atomic.Uint64
}

// idle is the value of oldest in a ring without items.
const idle = math.MaxUint64

func (sh *shard) init() {
	sh.items = make(map[string]*item)
	for i := range sh.rings {
		r := &sh.rings[i]
		r.root.prev, r.root.next = &r.root, &r.root
		r.oldest.Store(idle)
	}
	sh.sweep = &sh.rings[0].root
}

// ringFor returns the ring for a session with this record.
func (sh *shard) ringFor(value []byte) *ring {
	if sessionstore.Anonymous(value) {
		return &sh.rings[anonymous]
	}
	return &sh.rings[others]
}

func (s *Store) shard(key string) *shard {
	return &s.shards[maphash.String(s.seed, key)%shardCount]
}

// live returns the item of a key, if it has not expired.
func (s *Store) live(sh *shard, key string, now time.Duration) *item {
	it := sh.items[key]
	if it != nil && it.deadline <= now {
		s.expire(sh, it)
		return nil
	}
	return it
}

// add adds an item without a value. Room has been reserved for it.
func (sh *shard) add(key string) *item {
	// The key may be part of a larger string.
	it := &item{key: strings.Clone(key)}
	it.link(&sh.rings[others])
	sh.items[it.key] = it
	sh.most = max(sh.most, len(sh.items))
	return it
}

// use makes the item the most recently used.
func (s *Store) use(sh *shard, it *item) {
	if sh.sweep == it {
		sh.sweep = it.prev
	}
	it.used = s.uses.Add(1)
	was, is := it.ring, sh.ringFor(it.value)
	it.unlink()
	it.link(is)
	is.setOldest()
	if was != is {
		was.setOldest()
	}
}

// expire deletes an item whose time is over.
func (s *Store) expire(sh *shard, it *item) {
	s.delete(sh, it)
	if s.onExpire != nil && sessionstore.IsSession(it.value) {
		s.onExpire()
	}
}

// delete deletes an item.
func (s *Store) delete(sh *shard, it *item) {
	if sh.sweep == it {
		sh.sweep = it.prev
	}
	it.unlink()
	delete(sh.items, it.key)
	it.ring.setOldest()
	s.sessions.Add(-1)
	s.bytes.Add(-cost(it.key, it.value))
}

func (r *ring) setOldest() {
	oldest := uint64(idle)
	if it := r.root.prev; it != &r.root {
		oldest = it.used
	}
	if r.oldest.Load() != oldest {
		r.oldest.Store(oldest)
	}
}

func (it *item) unlink() {
	it.prev.next, it.next.prev = it.next, it.prev
}

func (it *item) link(r *ring) {
	it.ring, it.prev, it.next = r, &r.root, r.root.next
	r.root.next.prev, r.root.next = it, it
}
