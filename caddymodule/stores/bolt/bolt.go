// Package bolt is the session store module that keeps sessions in a file. It is the default.
package bolt

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap"

	"github.com/caddy-session/caddy-session/caddymodule/stores"
	"github.com/caddy-session/caddy-session/internal/config"
	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/bolt"
)

func init() { caddy.RegisterModule(new(Module)) }

// Module keeps the sessions in a file of this machine, which it makes when the first
// session is asked for. A change that was answered is on disk. One process uses the
// file at a time; another waits until it is free.
type Module struct {
	// The file. Placeholders such as {env.*} work. Default: session/sessions.db in Caddy's data directory
	Path string `json:"path,omitempty"`

	path   string
	holder *stores.Holder
}

// DefaultPath is the file of a store that names none.
func DefaultPath() string { return filepath.Join(caddy.AppDataDir(), "session", "sessions.db") }

// CaddyModule returns the Caddy module information.
func (*Module) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.session.stores.bolt", New: func() caddy.Module { return new(Module) }}
}

// Provision implements [caddy.Provisioner]. It looks at the file and leaves it as it is.
func (s *Module) Provision(ctx caddy.Context) error {
	s.holder = stores.NewHolder(ctx)
	var err error
	if s.path, err = config.Path("path", s.Path, DefaultPath()); err != nil {
		return fmt.Errorf("store bolt: %w", err)
	}
	return s.holder.Unusable(s.check())
}

// check looks at the file, unless it is in use here.
func (s *Module) check() error {
	if open, ok := stores.Find(s.identity()).(*bolt.Store); ok && open.InUse() {
		return nil
	}
	return bolt.Check(s.path)
}

func (s *Module) identity() stores.Identity {
	return stores.Identity{Driver: "bolt", Resource: s.path}
}

// Open implements [stores.Module].
func (s *Module) Open() (sessionstore.Store, func(), error) {
	return stores.ShareFor(s.holder, s.identity(), func(log stores.Log) (sessionstore.Store, error) {
		return bolt.Open(bolt.Options{Path: s.path, OnError: func(err error) { report(log().With(zap.String("path", s.path)), err) }}), nil
	}, nil)
}

// report logs what the store cannot tell anybody else.
func report(log *zap.Logger, err error) {
	switch {
	case err == nil:
		log.Info("the session file is in use")
	case errors.Is(err, bolt.ErrHeld):
		log.Warn("the session file is held by another process; sessions are out of reach until it is free")
	default:
		log.Error("the session file cannot be used", zap.Error(err))
	}
}

// UnmarshalCaddyfile sets up the store from Caddyfile tokens. Syntax:
//
//	store bolt [<path>]
func (s *Module) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // consume the module's name
	if err := config.Optional(d, "store bolt", "the path of its file", &s.Path); err != nil {
		return err
	}
	return config.Options{}.Read(d, "store bolt")
}

// Interface guards
var (
	_ caddy.Provisioner     = (*Module)(nil)
	_ stores.Module         = (*Module)(nil)
	_ caddyfile.Unmarshaler = (*Module)(nil)
)
