package stores

import (
	"fmt"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// Layout names the way in which another program keeps its records in a store, beside the records themselves: under
// which names, in which columns, with which expiry.
type Layout string

// FlaskSession is how Flask-Session keeps its records, in all stores that it has.
const FlaskSession Layout = "flask_session"

// Sharer is implemented by the stores that can share the records of another program with it, in place.
type Sharer interface {
	Store

	// OpenShared is [Store.Open] for records in that layout. The keys that it will be asked for are complete: the
	// dialect has put the program's prefix before them, so that a prefix which is configured here is an error.
	// lifetime is how long the program lets a record live after it was saved: where a store cannot tell how
	// much is left of that, this is what it says. It is an error if the store does not have the layout.
	OpenShared(layout Layout, lifetime time.Duration) (store sessionstore.Store, release func(), err error)
}

// Check returns the error of a store, of this name in the configuration, that has only the layout of Flask-Session and is to be
// opened with this one. Prefixed says that it has been given a prefix for its keys.
func (l Layout) Check(store string, prefixed bool) error {
	switch {
	case l != FlaskSession:
		return fmt.Errorf("store %s: it cannot keep sessions as %q does", store, l)
	case prefixed:
		return fmt.Errorf("store %s: key_prefix belongs into the dialect's block here", store)
	default:
		return nil
	}
}
