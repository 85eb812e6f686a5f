package stores

import "github.com/caddyserver/caddy/v2"

// Mover is implemented by the store that moves sessions from one store to another. Only native
// sessions can be moved: their records never have the same bytes twice.
type Mover interface {
	Module

	// Sides returns the old store and the new one. It is called after provisioning. The opened
	// store is a [sessionstore.Pair].
	Sides() (from, to Module)
}

// NameOf returns the name of a store's module, as configurations have it.
func NameOf(store Module) string {
	if m, ok := store.(caddy.Module); ok {
		return m.CaddyModule().ID.Name()
	}
	return ""
}
