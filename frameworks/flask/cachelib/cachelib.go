// Package cachelib keeps sessions in a folder as FileSystemCache of cachelib does, the library with
// which Flask-Session keeps them in files. An app and several processes of ours may use a folder at
// once.
//
// Processes of ours take turns, and none overwrites what another has saved. An app knows of no
// turns: what it saves in the microseconds between our last look and our rename is overwritten, and
// what it saves blindly overwrites ours.
package cachelib

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddy-session/caddy-session/internal/folder"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// DefaultFileMode is the mode when [Options.FileMode] is zero.
const DefaultFileMode fs.FileMode = 0o600

// Options configure a [Store]. Only Dir is needed.
type Options struct {
	// Dir is the folder. It is made at the first change when it is not there.
	Dir string

	// FileMode is the mode of files that are written, at least 0600. Default: 0600.
	FileMode fs.FileMode

	// Threshold is how many sessions there may be before a new one has those deleted that have
	// expired and, if that is not enough, the soonest to expire, as cachelib does. Default: 0, no
	// limit.
	Threshold int

	// Endless is what the time to live is said to be of a session that does not expire. Default:
	// 100 years.
	Endless time.Duration

	// OnError is told that the folder is out of reach, and nil when it is there again. It must not
	// block. Default: nobody is told.
	OnError func(error)

	// OnEvict is called when sessions that were still valid had to make room, with their number. It
	// must not block.
	OnEvict func(n int)

	// Now is the clock. Default: [time.Now].
	Now func() time.Time
}

// Store is a [sessionstore.Store] in a folder. Make one with [Open]. Its values are pickles of
// protocol 2 or later, or begin like one, and it takes no others. It keeps whole seconds.
//
// A file that is not of cachelib's making, or larger than any session, is left alone: an operation
// that comes upon it fails with an error that is [sessionstore.ErrRecord] and names the file.
//
// When the folder is no more the one that was there when the store was first used, as when its
// volume is not mounted, nothing is made in its place, and all fails with an error that is
// [sessionstore.ErrUnavailable] until it is back.
type Store struct {
	o         Options
	mode      atomic.Uint32
	threshold atomic.Int64

	place      *folder.Place
	turn       chan struct{} // of who changes names in the folder, among the goroutines of this process
	slots      chan struct{}
	background sync.WaitGroup
}

// Open returns a store in the folder. It neither reads nor writes anything yet.
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
	s := &Store{o: o, turn: make(chan struct{}, 1), slots: make(chan struct{}, maxAtWork)}
	s.place = folder.NewFolder(o.Dir, s.report)
	s.Set(o.FileMode, o.Threshold)
	return s
}

// report tells that the folder has gone, or is back.
func (s *Store) report(err error) {
	if err != nil {
		err = s.unavailable(err)
	}
	s.o.OnError(err)
}

// Probe finds out whether the store could be used. It writes nothing.
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

// Set changes [Options.FileMode] and [Options.Threshold], for what is written from then on.
func (s *Store) Set(mode fs.FileMode, threshold int) {
	if mode == 0 {
		mode = DefaultFileMode
	}
	s.mode.Store(uint32(mode))
	s.threshold.Store(int64(threshold))
}

// Close implements [sessionstore.Store]. It waits for operations under way.
func (s *Store) Close() error {
	s.background.Wait()
	return nil
}

func (s *Store) path(name string) string { return filepath.Join(s.o.Dir, name) }

// entry says what a file is as an entry, which is the zero Entry if it has expired.
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

// expiry rounds up to the second.
func (s *Store) expiry(ttl time.Duration) int64 {
	end := s.o.Now().Add(ttl)
	if end.Nanosecond() > 0 {
		return end.Unix() + 1
	}
	return end.Unix()
}

// maxAtWork is how many operations are made at once: each keeps a thread busy while the disk works.
const maxAtWork = 16

var (
	errSize  = errors.New("a key or a record is too large, or a key is empty")
	errValue = errors.New("a record is no pickle, and is kept nowhere")
)

// do has something done with the file of a key, which it may make. When the context ends it
// returns, and what was begun goes on.
func (s *Store) do(ctx context.Context, key string, makes bool, work func(path string) (sessionstore.Entry, error)) (sessionstore.Entry, error) {
	if len(key) == 0 || len(key) > sessionstore.MaxKey {
		return sessionstore.Entry{}, s.unavailable(errSize)
	}
	if err := ctx.Err(); err != nil {
		return sessionstore.Entry{}, s.unavailable(err)
	}
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return sessionstore.Entry{}, s.unavailable(ctx.Err())
	}
	type result struct {
		found sessionstore.Entry
		err   error
	}
	done := make(chan result, 1)
	s.background.Go(func() {
		found, err := s.within(func() (sessionstore.Entry, error) { return work(s.locate(key, makes)) })
		<-s.slots
		done <- result{found, err}
	})
	select {
	case r := <-done:
		if r.err != nil && r.err != sessionstore.ErrConflict {
			return sessionstore.Entry{}, s.unavailable(r.err)
		}
		return r.found, r.err
	case <-ctx.Done():
		return sessionstore.Entry{}, s.unavailable(ctx.Err())
	}
}

// within has something done, and makes sure that it was done in the folder: it may have gone
// meanwhile.
func (s *Store) within(work func() (sessionstore.Entry, error)) (sessionstore.Entry, error) {
	if err := s.place.Check(); err != nil {
		return sessionstore.Entry{}, err
	}
	found, err := work()
	if gone := s.place.Check(); gone != nil {
		return sessionstore.Entry{}, gone
	}
	return found, err
}

// unavailable makes an error of this store out of err.
func (s *Store) unavailable(err error) error {
	return fmt.Errorf("%w: %s: %w", sessionstore.ErrUnavailable, s.o.Dir, err)
}

var _ sessionstore.Store = (*Store)(nil)
