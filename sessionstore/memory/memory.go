// Package memory keeps sessions in this process. They end with it. What it holds
// is bounded: when it is full, the sessions that were not used for the longest
// time make room for new ones.
package memory

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
)

const (
	// DefaultMaxSessions is the limit when [Options.MaxSessions] is zero.
	DefaultMaxSessions = 1_000_000

	// DefaultMaxBytes is the limit when [Options.MaxBytes] is zero.
	DefaultMaxBytes = 512 << 20

	// DefaultSweepInterval is the interval when [Options.SweepInterval] is zero.
	DefaultSweepInterval = time.Minute
)

// Options configure a [Store]. The zero value is a good choice.
type Options struct {
	// MaxSessions is how many sessions are kept at most. Default: 1,000,000.
	MaxSessions int

	// MaxBytes is how much memory they take at most, in bytes: keys, records and
	// what it costs to keep them, about 200 bytes each. A record that alone is
	// larger is refused. Default: 512 MiB.
	MaxBytes int64

	// SweepInterval is the time in which every session is looked at once to free
	// those that have expired. Default: one minute.
	SweepInterval time.Duration

	// OnEvict is called for each session that had to make room before its time.
	// It must not block and may call any method but Close.
	OnEvict func()

	// Now is the clock. Default: [time.Now].
	Now func() time.Time
}

// Store is a [sessionstore.Store] in memory. Make one with [New].
type Store struct {
	now     func() time.Time
	epoch   time.Time // times are kept as distances from it, by the monotonic clock
	onEvict func()

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
		o.SweepInterval = DefaultSweepInterval
	}
	s := &Store{
		now:     o.Now,
		epoch:   o.Now(),
		onEvict: o.OnEvict,
		seed:    maphash.MakeSeed(),
		quit:    make(chan struct{}),
	}
	for i := range s.shards {
		s.shards[i].init()
	}
	s.SetLimits(o.MaxSessions, o.MaxBytes)
	s.swept.Go(func() { s.sweep(o.SweepInterval) })
	return s
}

// SetLimits changes [Options.MaxSessions] and [Options.MaxBytes]; what is below 1
// becomes the default. Sessions beyond the new limits are gone when it returns.
func (s *Store) SetLimits(maxSessions int, maxBytes int64) {
	if maxSessions < 1 {
		maxSessions = DefaultMaxSessions
	}
	if maxBytes < 1 {
		maxBytes = DefaultMaxBytes
	}
	s.maxSessions.Store(int64(maxSessions))
	s.maxBytes.Store(maxBytes)
	for s.sessions.Load() > s.maxSessions.Load() || s.bytes.Load() > s.maxBytes.Load() {
		s.evict()
	}
}

// Len returns how many sessions are held, those included that have expired and
// are not yet swept.
func (s *Store) Len() int { return int(s.sessions.Load()) }

// Bytes returns how much memory the sessions take, by the measure of
// [Options.MaxBytes].
func (s *Store) Bytes() int64 { return s.bytes.Load() }

// Close ends the store's goroutine. It may be called more than once.
func (s *Store) Close() error {
	s.stop.Do(func() { close(s.quit) })
	s.swept.Wait()
	return nil
}

// clock returns the time since the epoch.
func (s *Store) clock() time.Duration { return s.now().Sub(s.epoch) }

var _ sessionstore.Store = (*Store)(nil)
