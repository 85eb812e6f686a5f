// Package stores is what the modules in the namespace http.session.stores have
// in common: their interface, and the sharing of what outlives a configuration.
package stores

import (
	"fmt"
	"slices"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// Namespace is where the stores register. The inline key of their JSON is "backend".
const Namespace = "http.session.stores"

// Package is where the packages of the stores are, each under its module's name.
const Package = "github.com/caddy-session/caddy-session/caddymodule/stores"

// PackageOf returns the package that brings a store, which stands in a Caddyfile with these arguments. The databases of sql
// are packages of their own.
func PackageOf(name string, args []string) string {
	if name == "sql" && len(args) > 0 && slices.Contains(Databases, args[0]) {
		name += "/" + args[0]
	}
	return Package + "/" + name
}

// Databases are those of the store sql.
var Databases = []string{"postgres", "mysql", "sqlite"}

// Store is implemented by the modules in [Namespace].
type Store interface {
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

type pooled struct{ sessionstore.Store }

func (p pooled) Destruct() error { return p.Close() }

// Share returns the store with this identity, which open makes if nobody has it
// open. The release function closes it when nobody else uses it any more.
func Share[S sessionstore.Store](id Identity, open func() (S, error)) (S, func(), error) {
	value, _, err := pool.LoadOrNew(id, func() (caddy.Destructor, error) {
		s, err := open()
		if err != nil {
			return nil, err
		}
		return pooled{s}, nil
	})
	if err != nil {
		var none S
		return none, nil, fmt.Errorf("opening session store: %w", err)
	}
	release := func() {
		if _, err := pool.Delete(id); err != nil {
			caddy.Log().Named(Namespace).Error("closing session store: " + err.Error())
		}
	}
	return value.(pooled).Store.(S), release, nil
}

// Open reports whether somebody has the store with this identity open.
func Open(id Identity) bool {
	n, exists := pool.References(id)
	return exists && n > 0
}
