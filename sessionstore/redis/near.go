package redis

import (
	"bytes"
	"context"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddy-session/caddy-session/internal/breaker"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// nearCache knows of which records the copies may be used. The copies themselves are in go-redis's cache, see copies, which drops
// those that the server says have changed. It learns of that some milliseconds late, and it keeps no times to live.
// So a copy counts only if it is the record that was last seen or written here: a request always sees what was
// written through this process before it.
type nearCache struct {
	store   *Store
	breaker *breaker.Breaker

	seed   maphash.Seed
	shards [nearShards]nearShard
	limit  int

	// now are the copies in use, nil while there are none.
	now atomic.Pointer[copies]

	mu      sync.Mutex
	off     bool // it has been said that the near cache does not work
	pause   time.Duration
	retryAt time.Time
	closing sync.WaitGroup
	done    chan struct{}
}

const nearShards = 16

type nearShard struct {
	mu    sync.Mutex
	known map[string]nearRecord

	// writes counts what has been written here, so that a read that was overtaken is not believed.
	writes uint64
}

// nearRecord is a record that was there, and how long at least it will be.
type nearRecord struct {
	sum   uint64
	size  int
	until time.Time

	// copy is under which name go-redis's cache holds the copy, once it has been fetched.
	copy string
}

func newNearCache(s *Store, b *breaker.Breaker) *nearCache {
	n := &nearCache{
		store: s, breaker: b, done: make(chan struct{}),
		seed:  maphash.MakeSeed(),
		limit: max(s.opts.NearCache.MaxEntries/nearShards, 1),
	}
	for i := range n.shards {
		n.shards[i].known = make(map[string]nearRecord)
	}
	return n
}

func (n *nearCache) shard(key string) *nearShard {
	return &n.shards[maphash.String(n.seed, key)%nearShards]
}

// begin is called before a read; what is read is learnt with what it returns.
func (n *nearCache) begin(key string) (known nearRecord, ok bool, writes uint64) {
	s := n.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	known, ok = s.known[key]
	return known, ok, s.writes
}

// read learns what was found, unless something has been written meanwhile.
func (n *nearCache) read(key string, e sessionstore.Entry, writes uint64) {
	s := n.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.writes == writes {
		n.set(s, key, e)
	}
}

// wrote learns what is there after a write. The zero Entry says that nothing is, or that it is not known.
func (n *nearCache) wrote(key string, e sessionstore.Entry) {
	s := n.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes++
	n.set(s, key, e)
}

func (n *nearCache) set(s *nearShard, key string, e sessionstore.Entry) {
	if !e.Found() {
		delete(s.known, key)
		return
	}
	old, replaces := s.known[key]
	if !replaces && len(s.known) >= n.limit {
		for other := range s.known { // any: the order is random
			delete(s.known, other)
			break
		}
	}
	r := nearRecord{sum: maphash.Bytes(n.seed, e.Value), size: len(e.Value), until: time.Now().Add(e.TTL)}
	if r.sum == old.sum {
		r.copy = old.copy
	}
	s.known[key] = r
}

// fetched notes where the copy of a record will be.
func (n *nearCache) fetched(key, copy string) {
	s := n.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if r, ok := s.known[key]; ok {
		r.copy = copy
		s.known[key] = r
	}
}

// changed notes that a record has changed, or has been touched.
func (n *nearCache) changed(key string) {
	s := n.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.known, key)
}

// get returns the copy of a record if there is one that counts. What it asks the server for, if there is none, has
// the server tell of changes from then on.
func (n *nearCache) get(ctx context.Context, key string, known nearRecord) (sessionstore.Entry, bool) {
	left := time.Until(known.until)
	if left <= 0 {
		return sessionstore.Entry{}, false // it may have been touched elsewhere
	}
	c := n.copies()
	if c == nil {
		return sessionstore.Entry{}, false
	}
	// To have go-redis look for the copy costs several times what the copy does: a command is made, and has its hooks.
	if known.copy != "" {
		reply, _ := c.LocalCache.Get(ctx, known.copy)
		if value, ok := bulkString(reply, known.size); ok && maphash.Bytes(n.seed, value) == known.sum {
			return sessionstore.Entry{Value: value, TTL: left}, true
		}
	}
	// By now it may be larger than any record: one byte more than there was shows that.
	value, err := c.client.GetRange(ctx, key, 0, int64(known.size)).Result()
	if err == nil {
		n.works(c)
	}
	if err != nil || value == "" || maphash.String(n.seed, value) != known.sum {
		return sessionstore.Entry{}, false
	}
	return sessionstore.Entry{Value: bytesOf(value), TTL: left}, true
}

// bulkString returns the string of so many bytes that a reply is, as go-redis keeps replies: as they came, $<length>\r\n<string>\r\n.
func bulkString(reply []byte, size int) (value []byte, ok bool) {
	start := bytes.IndexByte(reply, '\n') + 1
	if start == 0 || reply[0] != '$' || len(reply) != start+size+len("\r\n") {
		return nil, false
	}
	return reply[start : start+size : start+size], true
}
