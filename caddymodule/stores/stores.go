// Package stores is what the modules in the namespace http.session.stores have
// in common: their interface, and the sharing of what outlives a configuration.
package stores

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// Namespace is where the stores register. The inline key of their JSON is "backend".
const Namespace = "http.session.stores"

// Module is implemented by the modules in [Namespace].
type Module interface {
	// Open returns the store, and a function that gives it back, to be called
	// once. Whoever opens the same store meanwhile shares it. Open does no I/O:
	// a store that is out of reach says so when it is used, and recovers by itself.
	//
	// Open may be called again after Cleanup: a request may outlive its configuration.
	Open() (store sessionstore.Store, release func(), err error)
}

// Identity tells shared stores apart: by the resource, not by the options that it is used with.
type Identity struct{ Driver, Resource string }

var pool = caddy.NewUsagePool()

// shared is a store that outlives configurations.
type shared struct {
	sessionstore.Store
	logger atomic.Pointer[zap.Logger]

	mu      sync.Mutex
	joined  int // how often it was shared
	present int // whose settings it has
	closed  bool
	probing sync.WaitGroup
}

// join returns the number of one more who shares the store.
func (s *shared) join() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.joined++
	return s.joined
}

// Destruct implements [caddy.Destructor].
func (s *shared) Destruct() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.probing.Wait()
	return s.Close()
}

// Log returns the logger of the present configuration.
type Log func() *zap.Logger

// Share returns the store with this identity, which open makes if nobody has it open. The release function closes it when
// nobody else uses it any more. It is for stores that log nothing and have no settings, see [ShareFor].
func Share(id Identity, open func() (sessionstore.Store, error)) (sessionstore.Store, func(), error) {
	return ShareFor(Alone(caddy.Log().Named(Namespace)), id, func(Log) (sessionstore.Store, error) { return open() }, nil)
}

// ShareFor is [Share] for a configuration. What the store reports, it logs with the logger that log returns at that moment. Settle
// gives it the settings of the configuration, and may be nil: it is called when the store is made, or else when the configuration
// has won.
//
// Once the configuration has won, it is found out in the background whether the store can be used, see [Prober].
func ShareFor(h *Holder, id Identity, open func(log Log) (sessionstore.Store, error), settle func(sessionstore.Store)) (sessionstore.Store, func(), error) {
	value, loaded, err := pool.LoadOrNew(id, func() (caddy.Destructor, error) {
		s := new(shared)
		s.logger.Store(h.logger)
		store, err := open(s.logger.Load)
		if err != nil {
			return nil, err
		}
		s.Store = store
		if settle != nil {
			settle(store)
		}
		return s, nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("opening session store: %w", err)
	}
	release := func() {
		if _, err := pool.Delete(id); err != nil {
			caddy.Log().Named(Namespace).Error("closing session store: " + err.Error())
		}
	}
	s := value.(*shared)
	number := s.join()
	h.whenWon(func(ctx context.Context) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.closed || number < s.present {
			return // of several handlers of a configuration, the last counts
		}
		s.present = number
		s.logger.Store(h.logger)
		if loaded && settle != nil {
			settle(s.Store)
		}
		if ctx != nil && number == s.joined {
			s.probing.Go(func() { s.probe(ctx) })
		}
	})
	return s.Store, release, nil
}

// Find returns the store with this identity, if somebody has it open.
func Find(id Identity) (found sessionstore.Store) {
	pool.Range(func(key, value any) bool {
		if key == id {
			found = value.(*shared).Store
		}
		return found == nil
	})
	return found
}
