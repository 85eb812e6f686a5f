package stores

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/layout"
)

// Sharer is implemented by the stores that can share the records of another program with it, in place.
type Sharer interface {
	Module

	// OpenShared is [Module.Open] for records in a layout, which is one for this store. The keys that it will be asked for are
	// complete: the dialect has put the program's prefix before them, so that a prefix which is configured here is an
	// error. lifetime is how long the program lets a record live after it was saved: where a store cannot tell how much is left
	// of that, this is what it says.
	OpenShared(l layout.Layout, lifetime time.Duration) (store sessionstore.Store, release func(), err error)
}

// Shared returns what opens a store for the records of a program that has these layouts. name is that of the store's module.
func Shared(store Module, name string, layouts []layout.Layout, lifetime time.Duration) (func() (sessionstore.Store, func(), error), error) {
	var names []string
	for _, l := range layouts {
		if sharer, ok := store.(Sharer); ok && l.Store() == name {
			return func() (sessionstore.Store, func(), error) { return sharer.OpenShared(l, lifetime) }, nil
		}
		names = append(names, l.Store())
	}
	return nil, fmt.Errorf("store %s: give it the store of the app, which is one of %s", name, strings.Join(names, ", "))
}

// LayoutOf returns a layout that a store is to be opened with as one of the type that it knows. Prefixed says that the store has been
// given a prefix for its keys.
func LayoutOf[L layout.Layout](l layout.Layout, prefixed bool) (known L, err error) {
	known, ok := l.(L)
	switch {
	case !ok:
		err = fmt.Errorf("it cannot keep records as %T says", l)
	case prefixed:
		err = errors.New("key_prefix belongs into the dialect's block here")
	default:
		return known, nil
	}
	return known, fmt.Errorf("store %s: %w", known.Store(), err)
}
