// Package file keeps sessions in a folder, one file for each session. A change replaces the whole
// file, and returns when it is on disk. Several processes may use a folder at once.
package file

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddy-session/caddy-session/internal/combiner"
	"github.com/caddy-session/caddy-session/internal/folder"
	"github.com/caddy-session/caddy-session/internal/locks"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// DefaultFileMode is the mode when [Options.FileMode] is zero.
const DefaultFileMode fs.FileMode = 0o600

// Options configure a [Store]. Only Dir is needed.
type Options struct {
	// Dir is the folder. It is created at the first change, if it does not exist.
	Dir string

	// FileMode is the mode of new files, at least 0600. Users who may read the files may search a
	// new folder, and those who may write them may create files there. Default: 0600.
	FileMode fs.FileMode

	// Threshold is the maximum number of sessions. Shortly before it is reached, a tenth of them is
	// evicted at once, those that expire first. Sessions of other processes in the folder count
	// too, but not immediately, as do those from before [Open]: until all files have been read,
	// there may be more. Default: 0, no limit.
	Threshold int

	// Name returns the name of the file of a key. Names must be unique, also on file systems that
	// ignore case, and must not begin with a dot. Default: SHA-256, in hexadecimal digits.
	Name func(key string) string

	// OnError is called with errors that no caller waits for: the folder is gone, or expired
	// sessions could not be deleted. It is called with nil when the folder is back. It must not
	// block. Default: none.
	OnError func(error)

	// OnEvict is called with the number of valid sessions that were evicted. It must not block.
	// Default: none.
	OnEvict func(n int)

	// OnExpire is called with each session that is deleted because its time is over. It must not
	// block. Default: none.
	OnExpire func()

	// Now is the clock. Default: [time.Now].
	Now func() time.Time

	sweepInterval time.Duration // for tests
}

// Store is a [sessionstore.Store] in a folder. Make one with [Open].
//
// The store never changes a file that is damaged or not a session. An operation on its key fails
// with an error that is [sessionstore.ErrUnavailable] and names the file.
//
// If the folder is removed or replaced after the first use, as when its volume is unmounted, all
// operations fail with such an error until it is back: changes and reads of missing sessions at
// once, other reads within a second. No other folder is created in its place.
type Store struct {
	o Options

	mode      atomic.Uint32
	threshold atomic.Int64
	census    census

	place *folder.Place
	turns locks.Table
	crew  *folder.Crew
	syncs *combiner.Combiner[*error]

	begun    sync.Once
	closed   sync.Once
	alive    context.Context
	end      context.CancelFunc
	full     chan struct{} // asks the sweeper to make room
	sweeping sync.WaitGroup
}

// Open returns a store in the folder. It neither reads nor writes anything yet.
func Open(o Options) *Store {
	if o.Name == nil {
		o.Name = hashed
	}
	if o.sweepInterval <= 0 {
		o.sweepInterval = sweepInterval
	}
	if o.OnError == nil {
		o.OnError = func(error) {}
	}
	if o.OnEvict == nil {
		o.OnEvict = func(int) {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Store{o: o, full: make(chan struct{}, 1)}
	s.census.pruning = make(chan struct{}, 1)
	s.place = folder.NewFolder(o.Dir, s.report)
	s.crew = folder.NewCrew(s.place, maxAtWork)
	s.alive, s.end = context.WithCancel(context.Background()) //nolint:gosec // Close calls it
	s.syncs = combiner.New(0, s.sync)
	s.Set(o.FileMode, o.Threshold)
	return s
}

// hashed returns a name that every file system accepts and that does not reveal the key.
func hashed(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// Set changes [Options.FileMode] and [Options.Threshold] for later writes.
func (s *Store) Set(mode fs.FileMode, threshold int) {
	if mode == 0 {
		mode = DefaultFileMode
	}
	s.mode.Store(uint32(mode))
	s.threshold.Store(int64(threshold))
}

// Close waits for operations under way, and stops the sweeper. It may be called more than once.
func (s *Store) Close() error {
	s.closed.Do(s.end)
	s.crew.Wait()
	s.sweeping.Wait()
	return nil
}

// Supported reports why no store works on this system. Windows is such a system.
func Supported() error { return unsupported }

// Check reports why a store could not use the folder. It changes nothing.
func Check(dir string) error { return cmp.Or(unsupported, folder.Usable(dir)) }

// Probe reports why the store could not be used. It writes nothing.
func (s *Store) Probe(context.Context) error {
	err := s.place.Check()
	if err == nil {
		err = Check(s.o.Dir)
	}
	if err != nil {
		return s.unavailable(err)
	}
	return nil
}

// begin remembers the identity of the folder and starts the sweeper, at the first use.
func (s *Store) begin() {
	s.begun.Do(func() {
		_ = s.place.Check()
		s.sweeping.Go(s.sweep)
	})
}

// report reports that the folder is gone, or is back.
func (s *Store) report(err error) {
	if err != nil {
		err = s.unavailable(err)
	}
	s.o.OnError(err)
}

func (s *Store) now() int64 { return s.o.Now().UnixMilli() }

// unavailable makes an error of this store out of err.
func (s *Store) unavailable(err error) error {
	return fmt.Errorf("%w: %s: %w", sessionstore.ErrUnavailable, s.o.Dir, err)
}

// sync serves all callers that have changed a name before it began.
func (s *Store) sync(batch []*error) {
	err := folder.Sync(s.o.Dir)
	for _, one := range batch {
		*one = err
	}
}

// syncNames returns when the names in the folder are on disk. Concurrent callers share one sync.
func (s *Store) syncNames() error {
	var synced error
	if err := s.syncs.Do(context.Background(), &synced); err != nil {
		return err
	}
	return synced
}

var _ sessionstore.Store = (*Store)(nil)
