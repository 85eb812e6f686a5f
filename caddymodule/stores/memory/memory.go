// Package memory is the session store module for the memory of the process.
package memory

import (
	"fmt"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-session/caddy-session/caddymodule/stores"
	"github.com/caddy-session/caddy-session/internal/config"
	"github.com/caddy-session/caddy-session/internal/ended"
	"github.com/caddy-session/caddy-session/internal/seldom"
	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/memory"
)

func init() { caddy.RegisterModule(new(Module)) }

// Module keeps the sessions in memory. Nothing is faster, but they are lost when the process ends.
// They survive a reload of the configuration. At a limit, the least recently used sessions are
// evicted.
type Module struct {
	// The name of the memory. Handlers with the same name share it, with the limits of the last
	// one. Placeholders such as {env.*} work. Default: one memory for all handlers
	Name string `json:"name,omitempty"`

	// The maximum number of sessions. Default: 1000000
	MaxSessions int `json:"max_sessions,omitempty"`

	// The maximum size of all sessions in bytes, including overhead. Default: 512 MiB
	MaxBytes int64 `json:"max_bytes,omitempty"`

	name   string
	holder *stores.Holder
}

// CaddyModule returns the Caddy module information.
func (*Module) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.session.stores.memory", New: func() caddy.Module { return new(Module) }}
}

// Provision implements [caddy.Provisioner].
func (s *Module) Provision(ctx caddy.Context) error {
	s.holder = stores.NewHolder(ctx)
	err := s.block().Check()
	if err == nil {
		s.name, err = config.Resolve("name", s.Name)
	}
	if err != nil {
		return fmt.Errorf("store memory: %w", err)
	}
	return nil
}

// Place implements [stores.Placed]. It is the name of the memory.
func (s *Module) Place() string { return s.name }

// Open implements [stores.Module].
func (s *Module) Open() (sessionstore.Store, func(), error) {
	id := stores.Identity{Driver: "memory", Resource: s.name}
	return stores.ShareFor(s.holder, id, open, func(store sessionstore.Store) {
		store.(*memory.Store).SetLimits(s.MaxSessions, s.MaxBytes)
	})
}

func open(log stores.Log) (sessionstore.Store, error) {
	var full seldom.Warning
	return memory.New(memory.Options{OnExpire: ended.Expired.Inc, OnEvict: func() {
		ended.Evicted.Inc()
		if full.Due() {
			log().Warn("memory is full: valid sessions are being evicted; raise max_sessions or max_bytes, or use another store")
		}
	}}), nil
}

// UnmarshalCaddyfile sets up the store from Caddyfile tokens. Syntax:
//
//	store memory [<name>] {
//		max_sessions <number>
//		max_bytes    <size>
//	}
func (s *Module) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // skip the module's name
	if err := config.Optional(d, "store memory", "its name", &s.Name); err != nil {
		return err
	}
	return s.block().Read(d, "store memory")
}

func (s *Module) block() config.Options {
	return config.Options{
		"name":         config.Argument("store memory <name>"),
		"max_sessions": config.Number(&s.MaxSessions, 1),
		"max_bytes":    config.Memory(&s.MaxBytes),
	}
}

// Interface guards
var (
	_ caddy.Provisioner     = (*Module)(nil)
	_ stores.Module         = (*Module)(nil)
	_ caddyfile.Unmarshaler = (*Module)(nil)
)
