// Package moving is the session store module that moves sessions from one store to another.
package moving

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-session/caddy-session/caddymodule/stores"
	"github.com/caddy-session/caddy-session/internal/addons"
	"github.com/caddy-session/caddy-session/internal/config"
	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/moving"
)

func init() { caddy.RegisterModule(new(Module)) }

// Module moves the sessions from one store to another, without logging anybody out. Each session
// moves when it is next used. New sessions begin in the new store. Sessions in the format of an app
// cannot be moved.
//
// Where several instances of Caddy share the sessions, first all of them need this store with hold.
// Then hold can be taken away, from one after the other.
type Module struct {
	// The old store.
	FromRaw json.RawMessage `json:"from,omitempty" caddy:"namespace=http.session.stores inline_key=backend"`

	// The new store.
	ToRaw json.RawMessage `json:"to,omitempty" caddy:"namespace=http.session.stores inline_key=backend"`

	// Whether sessions stay where they are, and new ones begin in the old store. Both stores are
	// read. Default: false
	Hold bool `json:"hold,omitempty"`

	from, to stores.Module
}

// CaddyModule returns the Caddy module information.
func (*Module) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.session.stores.moving", New: func() caddy.Module { return new(Module) }}
}

// Provision implements [caddy.Provisioner].
func (s *Module) Provision(ctx caddy.Context) error {
	err := s.provision(ctx)
	if err != nil {
		return fmt.Errorf("store moving: %w", err)
	}
	return nil
}

func (s *Module) provision(ctx caddy.Context) (err error) {
	if s.FromRaw == nil || s.ToRaw == nil {
		return errors.New("it needs from, the old store, and to, the new one")
	}
	if s.from, err = load(ctx, s, "FromRaw", s.FromRaw); err != nil {
		return fmt.Errorf("from: %w", err)
	}
	if s.to, err = load(ctx, s, "ToRaw", s.ToRaw); err != nil {
		return fmt.Errorf("to: %w", err)
	}
	if describe(s.from) == describe(s.to) {
		return fmt.Errorf("from and to are the same store: %s", describe(s.to))
	}
	return nil
}

func load(ctx caddy.Context, s *Module, field string, raw json.RawMessage) (stores.Module, error) {
	loaded, err := ctx.LoadModule(s, field)
	if err != nil {
		return nil, fmt.Errorf("loading store: %w", addons.Explain(err, stores.Namespace, "backend", raw))
	}
	store, ok := loaded.(stores.Module)
	if !ok {
		return nil, fmt.Errorf("module %T is not a session store", loaded)
	}
	switch name := stores.NameOf(store); name {
	case "none", "moving":
		return nil, fmt.Errorf("store %s keeps no sessions itself: use another one", name)
	}
	return store, nil
}

func describe(store stores.Module) string {
	return strings.TrimSpace(stores.NameOf(store) + " " + stores.PlaceOf(store))
}

// Place implements [stores.Placed]. It names both stores.
func (s *Module) Place() string { return "from " + describe(s.from) + " to " + describe(s.to) }

// Sides implements [stores.Mover].
func (s *Module) Sides() (from, to stores.Module) { return s.from, s.to }

// Remote implements [stores.OnServers].
func (s *Module) Remote() bool {
	if s.from != nil && s.to != nil {
		return stores.Remote(s.from) || stores.Remote(s.to)
	}
	return stores.Remote(config.Peek(stores.Namespace, "backend", s.FromRaw)) ||
		stores.Remote(config.Peek(stores.Namespace, "backend", s.ToRaw))
}

// Open implements [stores.Module].
func (s *Module) Open() (sessionstore.Store, func(), error) {
	from, releaseFrom, err := s.from.Open()
	if err != nil {
		return nil, nil, err
	}
	to, releaseTo, err := s.to.Open()
	if err != nil {
		releaseFrom()
		return nil, nil, err
	}
	if from == to {
		releaseTo()
		releaseFrom()
		return nil, nil, fmt.Errorf("store moving: from and to are the same store: %s", describe(s.to))
	}
	return moving.New(from, to, s.Hold), func() { releaseTo(); releaseFrom() }, nil
}

// UnmarshalCaddyfile sets up the store from Caddyfile tokens. Syntax:
//
//	store moving {
//		from <store> [<args>...] { ... }
//		to   <store> [<args>...] { ... }
//		hold
//	}
func (s *Module) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	err := config.Options{
		"from": config.Guest(&s.FromRaw, stores.Namespace, "backend", nil),
		"to":   config.Guest(&s.ToRaw, stores.Namespace, "backend", nil),
		"hold": config.Flag(&s.Hold),
	}.Unmarshal(d, "store moving")
	if err == nil && (s.FromRaw == nil || s.ToRaw == nil) {
		err = d.Err("store moving needs from, the old store, and to, the new one")
	}
	return err
}

// Interface guards
var (
	_ caddy.Provisioner     = (*Module)(nil)
	_ stores.Mover          = (*Module)(nil)
	_ stores.Placed         = (*Module)(nil)
	_ stores.OnServers      = (*Module)(nil)
	_ caddyfile.Unmarshaler = (*Module)(nil)
)
