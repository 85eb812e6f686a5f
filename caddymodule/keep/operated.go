package keep

import (
	"iter"
	"slices"
	"sync"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// About describes a store to operators.
type About struct {
	// Kind is the name of the store's module, Place where it is, and Dialect the format of its
	// records.
	Kind, Place, Dialect string

	// Site is the part of the sessions' scope that the configuration says.
	Site string

	// Sides are the old store and the new one, if the store is a [sessionstore.Pair].
	Sides []Side
}

// parts returns the store, or the two that it consists of, with their kinds.
func (a *About) parts(store sessionstore.Store) iter.Seq2[string, sessionstore.Store] {
	return func(yield func(string, sessionstore.Store) bool) {
		pair, ok := store.(sessionstore.Pair)
		if !ok {
			yield(a.Kind, store)
			return
		}
		from, to := pair.Sides()
		_ = yield(a.Sides[0].Kind, from) && yield(a.Sides[1].Kind, to)
	}
}

// Side is one of the two stores of a [sessionstore.Pair]. It is described as in [About].
type Side struct{ Kind, Place string }

// About describes the store.
func (k *Store) About() About { return k.about }

// Acquire returns the store, as it was opened, and the manager of its sessions. Both stay open
// until release is called, once.
func (k *Store) Acquire() (store sessionstore.Store, m *sessionstore.Manager, release func(), err error) {
	if m, err = k.acquire(); err != nil {
		return nil, nil, nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.store, m, func() { k.done() }, nil
}

// Operated returns the stores of all handlers, those of the latest configuration last.
func Operated() []*Store { return operated.list() }

var operated registry

// registry holds the stores of the handlers whose configuration has not ended.
type registry struct {
	mu     sync.Mutex
	stores []*Store
}

func (r *registry) add(k *Store) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stores = append(r.stores, k)
}

func (r *registry) remove(k *Store) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stores = slices.DeleteFunc(slices.Clone(r.stores), func(other *Store) bool { return other == k })
}

func (r *registry) list() []*Store {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.stores)
}
