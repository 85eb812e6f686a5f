// Package file keeps sessions in a folder, one file a session. Files are replaced as a whole, and no change is answered
// before it is on disk. Several processes may use a folder at once.
package file

import (
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
	"github.com/caddy-session/caddy-session/sessionstore"
)

const (
	// DefaultFileMode is the mode when [Options.FileMode] is zero.
	DefaultFileMode fs.FileMode = 0o600

	// DefaultSweepInterval is the interval when [Options.SweepInterval] is zero: a pass over 100,000 sessions takes
	// about two minutes.
	DefaultSweepInterval = 250 * time.Millisecond
)

// Options configure a [Store]. Only Dir is needed.
type Options struct {
	// Dir is the folder. It is made at the first change when it is not there.
	Dir string

	// FileMode is the mode of new files, at least 0600. A new folder can be searched by whoever may read the files.
	// Default: 0600.
	FileMode fs.FileMode

	// Threshold is how many sessions there are at most: to make room, a tenth of them goes at once, the soonest to
	// expire first. Sessions of other processes in the same folder count too, if not at once. Default: 0, no limit.
	Threshold int

	// Name returns the name of a key's file. It must be a different one for each key, on file systems that ignore case too,
	// and must not begin with a dot. Default: SHA-256, in hexadecimal digits.
	Name func(key string) string

	// SweepInterval is how long the sweeper rests after it has looked at 200 sessions for expired ones. After a pass over
	// all it rests 240 times that long. Default: 250ms.
	SweepInterval time.Duration

	// OnError is told what goes wrong while nobody waits for it: the folder has gone, or expired sessions could not be looked for.
	// It is told nil when the folder is back. It must not block. Default: nobody is told.
	OnError func(error)

	// OnEvict is called when sessions that were still valid had to make room, with their number. It must not block.
	OnEvict func(n int)

	// Now is the clock. Default: [time.Now].
	Now func() time.Time
}

// Store is a [sessionstore.Store] in a folder. Make one with [Open].
//
// What it finds in the folder that is no session of its own, or a damaged one, it leaves alone: an operation that comes upon it
// fails with an error that is [sessionstore.ErrUnavailable] and names the file.
//
// When the folder is no more the one that was there when the store was first used, as when its volume is not mounted, nothing is made in
// its place, and all fails with such an error until it is back: changes and reads of what is not there at once, other reads within a second.
type Store struct {
	o Options

	mode      atomic.Uint32
	threshold atomic.Int64
	census    census

	place *folder.Place
	keys  keys
	slots chan struct{}
	syncs *combiner.Combiner[*syncing]

	begun      sync.Once
	closed     sync.Once
	alive      context.Context
	end        context.CancelFunc
	full       chan struct{} // asks the sweeper to make room
	background sync.WaitGroup
}

// Open returns a store in the folder. It neither reads nor writes anything yet.
func Open(o Options) *Store {
	if o.Name == nil {
		o.Name = hashed
	}
	if o.SweepInterval <= 0 {
		o.SweepInterval = DefaultSweepInterval
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
	s := &Store{o: o, slots: make(chan struct{}, maxAtWork), full: make(chan struct{}, 1)}
	s.place = folder.NewFolder(o.Dir, s.report)
	s.alive, s.end = context.WithCancel(context.Background())
	s.syncs = combiner.New(0, s.sync)
	s.Set(o.FileMode, o.Threshold)
	return s
}

// hashed is a name that tells nothing of the key and that every file system takes.
func hashed(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// Set changes [Options.FileMode] and [Options.Threshold], for what is written from then on.
func (s *Store) Set(mode fs.FileMode, threshold int) {
	if mode == 0 {
		mode = DefaultFileMode
	}
	s.mode.Store(uint32(mode))
	s.threshold.Store(int64(threshold))
}

// Close waits for operations under way. It may be called more than once.
func (s *Store) Close() error {
	s.closed.Do(s.end)
	s.background.Wait()
	return nil
}

// Check returns the error that a store in this folder would meet at once. It changes nothing.
func Check(dir string) error { return folder.Usable(dir) }

// Probe finds out whether the store could be used. It writes nothing.
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

// begin learns which folder it is and starts the sweeper, once the store is used.
func (s *Store) begin() {
	s.begun.Do(func() {
		_ = s.place.Check()
		s.background.Go(s.sweep)
	})
}

// report tells that the folder has gone, or is back.
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

// syncing waits for the names in the folder to be on disk.
type syncing struct{ err error }

// sync is for all who have changed a name before it began.
func (s *Store) sync(batch []*syncing) {
	err := folder.Sync(s.o.Dir)
	for _, one := range batch {
		one.err = err
	}
}

// syncNames returns when the names in the folder are on disk. Whoever waits at the same time shares the work.
func (s *Store) syncNames() error {
	one := new(syncing)
	if err := s.syncs.Do(context.Background(), one); err != nil {
		return err
	}
	return one.err
}

var _ sessionstore.Store = (*Store)(nil)
