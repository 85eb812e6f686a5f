package stores

import (
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
