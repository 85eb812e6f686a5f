package stores

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/layout"
)

// Sharer is implemented by the stores that can share another program's records in place.
type Sharer interface {
	Module

	// OpenShared is [Module.Open] for records in a layout, which must be one for this store. The
	// keys that the store gets are complete, including the program's own prefix, so a configured
	// prefix is an error. lifetime is how long the program keeps a record after saving it. A store
	// that cannot tell the remaining time reports this.
	OpenShared(l layout.Layout, lifetime time.Duration) (store sessionstore.Store, release func(), err error)
}

// Shared returns a function that opens store for the records of a program with these layouts. name
// is the name of the store's module.
func Shared(store Module, name string, layouts []layout.Layout, lifetime time.Duration) (func() (sessionstore.Store, func(), error), error) {
	var names []string
	for _, l := range layouts {
		if sharer, ok := store.(Sharer); ok && l.Store() == name {
			return func() (sessionstore.Store, func(), error) { return sharer.OpenShared(l, lifetime) }, nil
		}
		names = append(names, l.Store())
	}
	return nil, fmt.Errorf("store %s: use the store of the app, one of %s", name, strings.Join(names, ", "))
}

// LayoutOf returns a layout as the type that the store supports. prefixed says that a key prefix is
// configured, which is an error.
func LayoutOf[L layout.Layout](l layout.Layout, prefixed bool) (known L, err error) {
	known, ok := l.(L)
	switch {
	case !ok:
		err = fmt.Errorf("the layout %T is not supported", l)
	case prefixed:
		err = errors.New("key_prefix: set it in the block of the dialect")
	default:
		return known, nil
	}
	return known, fmt.Errorf("store %s: %w", known.Store(), err)
}
