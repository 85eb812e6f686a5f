// Package stores is what the modules in the namespace http.session.stores have in common: their
// interface, and the sharing of stores that outlive a configuration.
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

// Namespace is the namespace of the store modules. The inline key of their JSON is "backend".
const Namespace = "http.session.stores"

// Module is implemented by the modules in [Namespace].
type Module interface {
	// Open returns the store and a function that releases it, to be called once. Callers that open
	// the same store at the same time share it. Open does no I/O: while a store is unreachable, its
	// operations return errors.
	//
	// Open may be called after Cleanup, because a request may outlive its configuration.
	Open() (store sessionstore.Store, release func(), err error)
}

// Identity identifies a shared store: by its resource, not by the options for using it.
type Identity struct{ Driver, Resource string }

var pool = caddy.NewUsagePool()

// shared is a store that outlives configurations.
type shared struct {
	sessionstore.Store
	logger atomic.Pointer[zap.Logger]

	mu      sync.Mutex
	joined  int // how many times the store has been opened
	present int // the number of the opening whose settings apply
	closed  bool
	probing sync.WaitGroup
}

// join counts one more opening of the store and returns its number.
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

// Log returns the logger of the active configuration.
type Log func() *zap.Logger

// ShareFor returns the store with this identity for a configuration. open creates it if it is not
// open yet. The release function closes it after its last use. The store logs with the logger that
// log returns at that moment. settle applies the settings of the configuration, and may be nil. It
// is called when the store is created, or otherwise when the configuration is active.
//
// Once the configuration is active, a check in the background finds out whether the store can be
// used. See [Prober].
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
			return // of several handlers in a configuration, the last one counts
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

// Find returns the store with this identity if it is open, otherwise nil.
func Find(id Identity) (found sessionstore.Store) {
	pool.Range(func(key, value any) bool {
		if key == id {
			found = value.(*shared).Store
		}
		return found == nil
	})
	return found
}
