package stores

import (
	"slices"

	"go.uber.org/zap"

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

// ReportServer returns a function that logs that a server of the store has become unreachable, or,
// without an error, reachable again. Both messages are written out where it is called, so that
// whoever searches the source for a line of the log finds it.
func ReportServer(log Log, unreachable, back string) func(server string, err error) {
	return func(server string, err error) {
		if err != nil {
			log().Error(unreachable, zap.String("server", server), zap.Error(err))
			return
		}
		log().Info(back, zap.String("server", server))
	}
}
