// Package memory keeps sessions in the memory of this process. They end with it. When the store is
// full, it evicts the least recently used sessions.
package memory

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// The limits if the options set none.
const (
	defaultMaxSessions   = 1_000_000
	defaultMaxBytes      = 512 << 20
	defaultSweepInterval = time.Minute
)

// Options configure a [Store]. The zero value is valid.
type Options struct {
	// MaxSessions is the maximum number of sessions. Default: 1,000,000.
	MaxSessions int

	// MaxBytes is the maximum memory of all sessions, in bytes: keys, records and about 200 bytes
	// of overhead each. A larger record is refused. Default: 512 MiB.
	MaxBytes int64

	// SweepInterval is the time in which every session is looked at once, to delete expired ones.
	// Default: one minute.
	SweepInterval time.Duration

	// OnEvict is called for each session that had to make room before its time. It must not block
	// and may call any method but Close.
	OnEvict func()

	// OnExpire is called for each session that is deleted because its time is over. The same holds
	// for it, and it must not call the store.
	OnExpire func()

	// Now is the clock. Default: [time.Now].
	Now func() time.Time
}

// Store is a [sessionstore.Store] in memory. Make one with [New].
type Store struct {
	now      func() time.Time
	epoch    time.Time // times are kept relative to it, by the monotonic clock
	onEvict  func()
	onExpire func()

	maxSessions, maxBytes atomic.Int64
	sessions, bytes       atomic.Int64
	uses                  atomic.Uint64

	seed   maphash.Seed
	shards [shardCount]shard

	stop  sync.Once
	quit  chan struct{}
	swept sync.WaitGroup
}

// New returns an empty store. It runs a goroutine until it is closed.
func New(o Options) *Store {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.SweepInterval <= 0 {
		o.SweepInterval = defaultSweepInterval
	}
	s := &Store{
		now:      o.Now,
		epoch:    o.Now(),
		onEvict:  o.OnEvict,
		onExpire: o.OnExpire,
		seed:     maphash.MakeSeed(),
		quit:     make(chan struct{}),
	}
	for i := range s.shards {
		s.shards[i].init()
	}
	s.SetLimits(o.MaxSessions, o.MaxBytes)
	s.swept.Go(func() { s.sweep(o.SweepInterval) })
	return s
}

// SetLimits changes [Options.MaxSessions] and [Options.MaxBytes]. Values below 1 mean the default.
// Sessions beyond the new limits are evicted before it returns.
func (s *Store) SetLimits(maxSessions int, maxBytes int64) {
	if maxSessions < 1 {
		maxSessions = defaultMaxSessions
	}
	if maxBytes < 1 {
		maxBytes = defaultMaxBytes
	}
	s.maxSessions.Store(int64(maxSessions))
	s.maxBytes.Store(maxBytes)
	for s.sessions.Load() > s.maxSessions.Load() || s.bytes.Load() > s.maxBytes.Load() {
		s.evict("")
	}
}

// Close ends the goroutine of the store. It may be called more than once.
func (s *Store) Close() error {
	s.stop.Do(func() { close(s.quit) })
	s.swept.Wait()
	return nil
}

// clock returns the time since the epoch.
func (s *Store) clock() time.Duration { return s.now().Sub(s.epoch) }

var _ sessionstore.Store = (*Store)(nil)
