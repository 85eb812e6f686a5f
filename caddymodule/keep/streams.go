package keep

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// LookInterval is how often the records of sessions with streams are looked at, for those that have
// ended in another process. With the time that the looks take, a stream ends within a minute. Tests
// shorten it, before anything is watched.
var LookInterval = 50 * time.Second

// streams are the streams of this process. A session may be ended by the handler of another
// configuration than the one that its stream began with.
var streams watch

// watch knows the streams whose sessions may end.
type watch struct {
	mu sync.Mutex
	by map[family]map[*watched]struct{}

	// rounds are the keepers that look at their sessions again and again. Each has rounds of its
	// own, so that a store that is away or slow delays no other.
	rounds map[*Store]bool
}

// family is what a session keeps when it gets a new id: when it began, in Unix milliseconds. A few
// others may have begun then too. Where that is not known, it is the key.
type family struct {
	began int64
	key   string
}

func familyOf(p sessionstore.Place) family {
	if p.Created.IsZero() {
		return family{key: p.Key}
	}
	return family{began: p.Created.UnixMilli()}
}

// watched is a stream.
type watched struct {
	keeper *Store
	place  sessionstore.Place
	end    func()
	over   *time.Timer // the session's absolute timeout
}

// where is a record with streams. They are looked up by a keeper of theirs.
type where struct {
	keeper *Store
	key    string
}

// Watch implements [Keeper]. The store is not held meanwhile: it is opened again for each look, if
// the configuration has ended.
func (k *Store) Watch(v *Visit, end func()) (stop func()) {
	if v.place.Key == "" {
		return func() {}
	}
	s := &watched{keeper: k, place: v.place, end: end}
	streams.add(s)
	go streams.ended(v.place) // it may have ended since it was loaded
	return func() { streams.remove(s) }
}

func (w *watch) add(s *watched) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.put(s)
	if !s.place.End.IsZero() {
		s.over = time.AfterFunc(time.Until(s.place.End), func() {
			w.remove(s)
			s.end()
		})
	}
	if !w.rounds[s.keeper] {
		if w.rounds == nil {
			w.rounds = make(map[*Store]bool)
		}
		w.rounds[s.keeper] = true
		time.AfterFunc(LookInterval, func() { w.round(s.keeper) })
	}
}

func (w *watch) remove(s *watched) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.take(s)
	if s.over != nil {
		s.over.Stop()
	}
}

// put and take change the table. The caller holds mu.
func (w *watch) put(s *watched) {
	if w.by == nil {
		w.by = make(map[family]map[*watched]struct{})
	}
	f := familyOf(s.place)
	if w.by[f] == nil {
		w.by[f] = make(map[*watched]struct{})
	}
	w.by[f][s] = struct{}{}
}

func (w *watch) take(s *watched) {
	f := familyOf(s.place)
	if delete(w.by[f], s); len(w.by[f]) == 0 {
		delete(w.by, f)
	}
}

// ended says that a record has ended in this process. Streams that are known under another id of
// the session may end by that too.
func (w *watch) ended(p sessionstore.Place) {
	f := familyOf(p)
	w.mu.Lock()
	defer w.mu.Unlock()
	for at := range places(w.by[f]) {
		go func() { _ = w.look(f, at) }() // the next round tries again
	}
}

func places(streams map[*watched]struct{}) map[where]bool {
	var all map[where]bool
	for s := range streams {
		if all == nil {
			all = make(map[where]bool)
		}
		all[where{s.keeper, s.place.Key}] = true
	}
	return all
}

const (
	// lanes is how many sessions of a store are looked at together.
	lanes = 8

	// patience is how long a look may keep others waiting, and lookTimeout how long it may take. A
	// part of a store may be away, as one server of a cluster, and a look there takes all its time.
	patience    = 50 * time.Millisecond
	lookTimeout = 5 * time.Second

	// failures is how many looks fail one after the other until the whole store counts as away.
	failures = 100
)

// looked is a session in a round.
type looked struct {
	family
	where
}

// sessions returns the sessions of a keeper that have streams, in no order. The caller holds mu.
func (w *watch) sessions(k *Store) (list []looked) {
	for f, found := range w.by {
		keys := make(map[string]bool)
		for s := range found {
			if s.keeper == k && !keys[s.place.Key] {
				keys[s.place.Key] = true
				list = append(list, looked{f, where{k, s.place.Key}})
			}
		}
	}
	return list
}

// round looks at all sessions of a keeper, once for all streams of a session. If some cannot be
// read, the next round is soon.
func (w *watch) round(k *Store) {
	var all sync.WaitGroup
	var failed atomic.Bool
	var inARow atomic.Int32
	lane := make(chan struct{}, lanes)
	w.mu.Lock()
	list := w.sessions(k)
	w.mu.Unlock()
	for _, s := range list {
		lane <- struct{}{}
		if inARow.Load() >= failures {
			break
		}
		all.Go(func() {
			leave := sync.OnceFunc(func() { <-lane })
			defer leave()
			defer time.AfterFunc(patience, leave).Stop()
			if err := w.look(s.family, s.where); err == nil || errors.Is(err, sessionstore.ErrRecord) {
				inARow.Store(0)
			} else {
				inARow.Add(1)
				failed.Store(true)
			}
		})
	}
	all.Wait()
	wait := LookInterval
	if failed.Load() {
		wait /= 10
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.sessions(k)) == 0 {
		delete(w.rounds, k)
	} else {
		time.AfterFunc(wait, func() { w.round(k) })
	}
}

// look ends the streams of a session that is over, and follows one that has got a new id. An error
// ends nothing.
func (w *watch) look(f family, at where) error {
	sight, err := at.keeper.look(at.key)
	if err != nil {
		return err
	}
	var moved []sessionstore.Place
	w.mu.Lock()
	for s := range w.by[f] {
		now := sight.From(s.place)
		if s.keeper != at.keeper || s.place.Key != at.key || now == s.place {
			continue
		}
		w.take(s)
		if now.Key == "" {
			go s.end()
			continue
		}
		s.place = now
		w.put(s) // before the look: the successor may end at any time
		if !slices.Contains(moved, now) {
			moved = append(moved, now)
		}
	}
	w.mu.Unlock()
	for _, to := range moved {
		if err := w.look(familyOf(to), where{at.keeper, to.Key}); err != nil {
			return err
		}
	}
	return nil
}

func (k *Store) look(key string) (sessionstore.Sight, error) {
	m, err := k.acquire()
	if err != nil {
		return sessionstore.Sight{}, err
	}
	defer k.done()
	ctx, cancel := context.WithTimeout(context.Background(), lookTimeout)
	defer cancel()
	return m.Look(ctx, key)
}
