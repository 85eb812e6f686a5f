package stores

import (
	"slices"

	"github.com/caddy-session/caddy-session/internal/config"
)

// OnServers is implemented by the modules that keep sessions on servers.
type OnServers interface {
	// Remote reports whether other machines may use the servers too: they are not on this one, or
	// nobody knows. The module need not be provisioned.
	Remote() bool
}

// Remote reports whether a module keeps sessions where other machines may use them.
func Remote(module any) bool {
	m, ok := module.(OnServers)
	return ok && m.Remote()
}

// AnyRemote reports whether one of the addresses is on another machine.
func AnyRemote(addresses []string) bool {
	return slices.ContainsFunc(addresses, func(address string) bool { return !config.Local(address) })
}
