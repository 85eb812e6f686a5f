// Package none is the session store module without storage.
package none

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-session/caddy-session/caddymodule/stores"
	"github.com/caddy-session/caddy-session/internal/config"
	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/none"
)

func init() { caddy.RegisterModule(new(Module)) }

// Module stores nothing: every change is lost at the end of the request, and every request is
// anonymous. Use it to try an app without sessions, or to switch its sessions off without changing
// the app. A response that changes the session still sets a cookie, but its session is never found.
type Module struct{}

// CaddyModule returns the Caddy module information.
func (*Module) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.session.stores.none", New: func() caddy.Module { return new(Module) }}
}

// Open implements [stores.Module].
func (*Module) Open() (sessionstore.Store, func(), error) { return none.Store{}, func() {}, nil }

// UnmarshalCaddyfile sets up the store from Caddyfile tokens. Syntax:
//
//	store none
func (*Module) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	return config.Options{}.Unmarshal(d, "store none")
}

// Interface guards
var (
	_ stores.Module         = (*Module)(nil)
	_ caddyfile.Unmarshaler = (*Module)(nil)
)
