// Package cachelib keeps sessions in a folder in the format of cachelib's FileSystemCache, which
// Flask-Session uses to keep sessions in files. An app and several of our processes may use the
// folder at the same time.
//
// Our processes take turns, so none overwrites what another has saved. An app takes no turns: if it
// saves in the microseconds between our last check and our rename, its record is lost; and its own
// saves overwrite ours without looking.
package cachelib

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/caddy-session/caddy-session/internal/folder"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// DefaultFileMode is the file mode if [Options.FileMode] is zero.
const DefaultFileMode fs.FileMode = 0o600

// Options configure a [Store]. Only Dir is needed.
type Options struct {
	// Dir is the folder. If it does not exist, the first change creates it.
	Dir string

	// FileMode is the mode of new files, at least 0600. Default: 0600.
	FileMode fs.FileMode

	// Threshold is how many sessions may exist before a new one deletes the expired ones and, if
	// that is not enough, the ones that expire soonest, as cachelib does. Default: 0, no limit.
	Threshold int

	// Endless is the time to live that is reported for a session that never expires. Default: 100
	// years.
	Endless time.Duration

	// OnError is called with an error when the folder becomes unavailable, and with nil when it is
	// back. It must not block. Default: none.
	OnError func(error)

	// OnEvict is called with the number of valid sessions that were evicted. It must not block.
	// Default: none.
	OnEvict func(n int)

	// Now is the clock. Default: [time.Now].
	Now func() time.Time
}

// Store is a [sessionstore.Store] in a folder. Make one with [Open]. It is safe for concurrent use.
// It accepts only values that begin like a pickle of protocol 2 or later. Times to live are rounded
// up to whole seconds.
//
// A file that cachelib did not write, or that is larger than any session, is left alone: an
// operation on it fails with an error that wraps [sessionstore.ErrRecord] and names the file.
//
// If the folder is replaced or disappears after its first use (a volume that is no longer mounted),
// the store does not create a new one: every operation fails with [sessionstore.ErrUnavailable]
// until the folder is back.
type Store struct {
	o         Options
	mode      atomic.Uint32
	threshold atomic.Int64

	place *folder.Place
	turn  chan struct{} // held while a goroutine of this process changes names in the folder
	crew  *folder.Crew
}

// Open returns a store in the folder. It does not read or write anything yet.
func Open(o Options) *Store {
	if o.Endless <= 0 {
		o.Endless = 100 * 365 * 24 * time.Hour
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
	s := &Store{o: o, turn: make(chan struct{}, 1)}
	s.place = folder.NewFolder(o.Dir, s.report)
	s.crew = folder.NewCrew(s.place, maxAtWork)
	s.Set(o.FileMode, o.Threshold)
	return s
}

// report calls OnError.
func (s *Store) report(err error) {
	if err != nil {
		err = s.unavailable(err)
	}
	s.o.OnError(err)
}

// Probe reports whether the folder can be used. It does not write.
func (s *Store) Probe(context.Context) error {
	err := s.place.Check()
	if err == nil {
		err = folder.Usable(s.o.Dir)
	}
	if err != nil {
		return s.unavailable(err)
	}
	return nil
}

// Set changes [Options.FileMode] and [Options.Threshold] for future writes.
func (s *Store) Set(mode fs.FileMode, threshold int) {
	if mode == 0 {
		mode = DefaultFileMode
	}
	s.mode.Store(uint32(mode))
	s.threshold.Store(int64(threshold))
}

// Close implements [sessionstore.Store]. It waits for running operations.
func (s *Store) Close() error {
	s.crew.Wait()
	return nil
}

func (s *Store) path(name string) string { return filepath.Join(s.o.Dir, name) }

// entry returns a file's content as an entry: the zero Entry if it has expired.
func (s *Store) entry(c content) sessionstore.Entry {
	if c.expiry == never {
		return sessionstore.Entry{Value: c.value, TTL: s.o.Endless}
	}
	left := time.Unix(c.expiry, 0).Sub(s.o.Now())
	if left < 0 {
		return sessionstore.Entry{}
	}
	return sessionstore.Entry{Value: c.value, TTL: max(left, time.Millisecond)}
}

// expiry returns the Unix time after ttl, rounded up to the second.
func (s *Store) expiry(ttl time.Duration) int64 {
	end := s.o.Now().Add(ttl)
	if end.Nanosecond() > 0 {
		return end.Unix() + 1
	}
	return end.Unix()
}

// maxAtWork is how many operations run at once: each blocks a thread while it waits for the disk.
const maxAtWork = 16

var (
	errSize  = errors.New("key is empty, or key or record is too large")
	errValue = errors.New("record is not a pickle of protocol 2 or later")
)

// do runs work on the file of a key; makes says that work may create it. When the context ends, do
// returns and work continues in the background.
func (s *Store) do(ctx context.Context, key string, makes bool, work func(path string) (sessionstore.Entry, error)) (sessionstore.Entry, error) {
	if len(key) == 0 || len(key) > sessionstore.MaxKey {
		return sessionstore.Entry{}, s.unavailable(errSize)
	}
	found, err := folder.Run(ctx, s.crew, func() (sessionstore.Entry, error) { return work(s.locate(key, makes)) })
	if err != nil && err != sessionstore.ErrConflict {
		return sessionstore.Entry{}, s.unavailable(err)
	}
	return found, err
}

// unavailable wraps err as an error of this store.
func (s *Store) unavailable(err error) error {
	return fmt.Errorf("%w: %s: %w", sessionstore.ErrUnavailable, s.o.Dir, err)
}

var _ sessionstore.Store = (*Store)(nil)
