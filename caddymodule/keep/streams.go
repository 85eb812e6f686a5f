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
	mu   sync.Mutex
	by   map[family]map[*watched]struct{}
	next *time.Timer
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
	if w.next == nil {
		w.next = time.AfterFunc(LookInterval, w.round)
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

// lanes is how many sessions of a store are looked at together.
const lanes = 8

// round looks at all sessions, once for all streams of a session. If a store is unreachable, the
// next round is soon.
func (w *watch) round() {
	type looked struct {
		family
		where
	}
	lists := make(map[*Store][]looked)
	w.mu.Lock()
	for f, found := range w.by {
		for at := range places(found) {
			lists[at.keeper] = append(lists[at.keeper], looked{f, at})
		}
	}
	w.mu.Unlock()
	var all sync.WaitGroup
	var failed atomic.Bool
	for _, list := range lists {
		var down atomic.Bool
		for lane := range min(lanes, len(list)) {
			all.Go(func() {
				for i := lane; i < len(list) && !down.Load(); i += lanes {
					if err := w.look(list[i].family, list[i].where); err != nil && !errors.Is(err, sessionstore.ErrRecord) {
						down.Store(true)
						failed.Store(true)
					}
				}
			})
		}
	}
	all.Wait()
	wait := LookInterval
	if failed.Load() {
		wait /= 10
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.next = nil; len(w.by) > 0 {
		w.next = time.AfterFunc(wait, w.round)
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
	return m.Look(context.Background(), key)
}
