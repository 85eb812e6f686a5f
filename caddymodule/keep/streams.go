package keep

import (
	"context"
	"errors"
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

// watch knows the streams whose sessions may end. When a record ends in this process, the streams
// that are known under its key are looked up at once.
type watch struct {
	mu    sync.Mutex
	byKey map[string]map[*watched]struct{} // by the keys of the sessions' records
	next  *time.Timer
}

// watched is a stream.
type watched struct {
	keeper *Store
	place  sessionstore.Place
	end    func()
	over   *time.Timer // the session's absolute timeout
}

// Watch implements [Keeper]. The store is not held meanwhile: it is opened again for each look, if
// the configuration has ended.
func (k *Store) Watch(v *Visit, end func()) (stop func()) {
	if v.place.Key == "" {
		return func() {}
	}
	s := &watched{keeper: k, place: v.place, end: end}
	streams.add(s)
	go func() { _ = streams.look(k, v.place.Key) }() // it may have ended since it was loaded
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
	if w.byKey == nil {
		w.byKey = make(map[string]map[*watched]struct{})
	}
	key := s.place.Key
	if w.byKey[key] == nil {
		w.byKey[key] = make(map[*watched]struct{})
	}
	w.byKey[key][s] = struct{}{}
}

func (w *watch) take(s *watched) {
	key := s.place.Key
	if delete(w.byKey[key], s); len(w.byKey[key]) == 0 {
		delete(w.byKey, key)
	}
}

// ended says that the record under a key has ended in this process.
func (w *watch) ended(key string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for k := range keepers(w.byKey[key]) {
		go func() { _ = w.look(k, key) }() // the next round tries again
	}
}

func keepers(streams map[*watched]struct{}) map[*Store]bool {
	var all map[*Store]bool
	for s := range streams {
		if all == nil {
			all = make(map[*Store]bool)
		}
		all[s.keeper] = true
	}
	return all
}

// lanes is how many sessions of a store are looked at together.
const lanes = 8

// round looks at all sessions, once for all streams of a session. If a store is unreachable, the
// next round is soon.
func (w *watch) round() {
	keys := make(map[*Store][]string)
	w.mu.Lock()
	for key, found := range w.byKey {
		for k := range keepers(found) {
			keys[k] = append(keys[k], key)
		}
	}
	w.mu.Unlock()
	var all sync.WaitGroup
	var failed atomic.Bool
	for k, list := range keys {
		var down atomic.Bool
		for lane := range min(lanes, len(list)) {
			all.Go(func() {
				for i := lane; i < len(list) && !down.Load(); i += lanes {
					if err := w.look(k, list[i]); err != nil && !errors.Is(err, sessionstore.ErrRecord) {
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
	if w.next = nil; len(w.byKey) > 0 {
		w.next = time.AfterFunc(wait, w.round)
	}
}

// look ends the streams of a session that is over, and follows one that has got a new id. An error
// ends nothing.
func (w *watch) look(k *Store, key string) error {
	sight, err := k.look(key)
	if err != nil {
		return err
	}
	followed := make(map[string]bool)
	w.mu.Lock()
	for s := range w.byKey[key] {
		now := sight.From(s.place)
		if s.keeper != k || now == s.place {
			continue
		}
		w.take(s)
		if now.Key == "" {
			go s.end()
			continue
		}
		s.place = now
		w.put(s) // before the look: the successor may end at any time
		followed[now.Key] = true
	}
	w.mu.Unlock()
	for key := range followed {
		if err := w.look(k, key); err != nil {
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
	defer k.done(nil)
	return m.Look(context.Background(), key)
}
