// Package native is the dialect of this project's own sessions.
package native

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-session/caddy-session/caddymodule/dialects"
	"github.com/caddy-session/caddy-session/internal/config"
	"github.com/caddy-session/caddy-session/sessionstore"
)

func init() { caddy.RegisterModule(new(Dialect)) }

// Dialect is the native format of sessions: [sessionstore.Native].
type Dialect struct{}

// CaddyModule returns the Caddy module information.
func (*Dialect) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.session.dialects.native", New: func() caddy.Module { return new(Dialect) }}
}

// Format implements [dialects.Dialect].
func (*Dialect) Format() dialects.Format { return dialects.Format{Codec: sessionstore.Native{}} }

// UnmarshalCaddyfile sets up the dialect from Caddyfile tokens. Syntax:
//
//	dialect native
func (*Dialect) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	return config.Options{}.Unmarshal(d, "dialect native")
}

// Interface guards
var (
	_ dialects.Dialect      = (*Dialect)(nil)
	_ caddyfile.Unmarshaler = (*Dialect)(nil)
)
