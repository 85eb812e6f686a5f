// Package bolt is the session store module for a file. It is the default store.
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
	"github.com/caddy-session/caddy-session/internal/ended"
	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/bolt"
)

func init() { caddy.RegisterModule(new(Module)) }

// Module keeps the sessions in a file on this machine. The file is created on first use. A
// confirmed change is on disk. Only one process can use the file at a time; others wait until it is
// released.
type Module struct {
	// The path of the file. Placeholders such as {env.*} work. Default: session/sessions.db in
	// Caddy's data directory
	Path string `json:"path,omitempty"`

	path   string
	holder *stores.Holder
}

// DefaultPath returns the path of the file if none is configured.
func DefaultPath() string { return filepath.Join(caddy.AppDataDir(), "session", "sessions.db") }

// CaddyModule returns the Caddy module information.
func (*Module) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.session.stores.bolt", New: func() caddy.Module { return new(Module) }}
}

// Provision implements [caddy.Provisioner]. It checks the file without changing it.
func (s *Module) Provision(ctx caddy.Context) error {
	s.holder = stores.NewHolder(ctx)
	var err error
	if s.path, err = config.Path("path", s.Path, DefaultPath()); err != nil {
		return fmt.Errorf("store bolt: %w", err)
	}
	return s.holder.Unusable(s.check())
}

// check checks the file, unless this process has it open.
func (s *Module) check() error {
	if open, ok := stores.Find(s.identity()).(*bolt.Store); ok && open.InUse() {
		return nil
	}
	return bolt.Check(s.path)
}

func (s *Module) identity() stores.Identity {
	return stores.Identity{Driver: "bolt", Resource: s.path}
}

// Place implements [stores.Placed].
func (s *Module) Place() string { return s.path }

// Open implements [stores.Module].
func (s *Module) Open() (sessionstore.Store, func(), error) {
	return stores.ShareFor(s.holder, s.identity(), func(log stores.Log) (sessionstore.Store, error) {
		return bolt.Open(bolt.Options{
			Path:     s.path,
			OnError:  func(err error) { report(log().With(zap.String("path", s.path)), err) },
			OnExpire: func(n int) { ended.Expired.Add(float64(n)) },
		}), nil
	}, nil)
}

// report logs errors that no caller of the store sees.
func report(log *zap.Logger, err error) {
	switch {
	case err == nil:
		log.Info("the session file is in use")
	case errors.Is(err, bolt.ErrHeld):
		log.Warn("the session file is locked by another process; sessions are unavailable until it is released")
	default:
		log.Error("the session file cannot be used", zap.Error(err))
	}
}

// UnmarshalCaddyfile sets up the store from Caddyfile tokens. Syntax:
//
//	store bolt [<path>]
func (s *Module) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // skip the module's name
	if err := config.Optional(d, "store bolt", "the path of its file", &s.Path); err != nil {
		return err
	}
	return config.Options{"path": config.Argument("store bolt <path>")}.Read(d, "store bolt")
}

// Interface guards
var (
	_ caddy.Provisioner     = (*Module)(nil)
	_ stores.Module         = (*Module)(nil)
	_ caddyfile.Unmarshaler = (*Module)(nil)
)
