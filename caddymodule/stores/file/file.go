// Package file is the session store module that keeps sessions in a folder, one file a session.
package file

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap"

	"github.com/caddy-session/caddy-session/caddymodule/stores"
	"github.com/caddy-session/caddy-session/internal/config"
	"github.com/caddy-session/caddy-session/internal/seldom"
	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/file"
	"github.com/caddy-session/caddy-session/sessionstore/layout"
)

func init() { caddy.RegisterModule(new(Module)) }

// Module keeps the sessions in a folder of this machine, one file a session. The folder is made when the first
// session is saved. A change that was answered is on disk. Several processes may use the folder at once.
type Module struct {
	// The folder. Placeholders such as {env.*} work. Default: session/files in Caddy's data directory
	Directory string `json:"directory,omitempty"`

	// The mode of the files, in octal: 0600, or for a group 0640 or 0660. Handlers that use the same folder have the mode and
	// the threshold of the last that was configured. Default: 0600
	Mode string `json:"mode,omitempty"`

	// How many sessions are kept at most. Beyond, the soonest to expire go first. Default: 0, no limit
	Threshold int `json:"threshold,omitempty"`

	dir    string
	mode   fs.FileMode
	holder *stores.Holder
}

// DefaultDirectory is the folder of a store that names none.
func DefaultDirectory() string { return filepath.Join(caddy.AppDataDir(), "session", "files") }

// CaddyModule returns the Caddy module information.
func (*Module) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.session.stores.file", New: func() caddy.Module { return new(Module) }}
}

// Provision implements [caddy.Provisioner]. It looks at the folder and leaves it as it is.
func (s *Module) Provision(ctx caddy.Context) error {
	s.holder = stores.NewHolder(ctx)
	if err := s.block().Check(); err != nil {
		return fmt.Errorf("store file: %w", err)
	}
	s.mode, _ = parseMode(cmp.Or(s.Mode, defaultMode))
	var err error
	if s.dir, err = config.Path("directory", s.Directory, DefaultDirectory()); err != nil {
		return fmt.Errorf("store file: %w", err)
	}
	if err := file.Check(s.dir); err != nil {
		return s.holder.Unusable(fmt.Errorf("store file: %w", err))
	}
	return nil
}

// defaultMode is [file.DefaultFileMode].
const defaultMode = "0600"

// parseMode reads a mode of files that their owner can read and write, and nobody can run.
func parseMode(text string) (mode fs.FileMode, ok bool) {
	bits, err := strconv.ParseUint(text, 8, 32)
	return fs.FileMode(bits), err == nil && bits&0o600 == 0o600 && bits&^0o666 == 0
}

// Open implements [stores.Module].
func (s *Module) Open() (sessionstore.Store, func(), error) {
	id := stores.Identity{Driver: "file", Resource: s.dir}
	return stores.ShareFor(s.holder, id, func(log stores.Log) (sessionstore.Store, error) {
		return file.Open(file.Options{Dir: s.dir, OnError: s.report(log), OnEvict: s.warnOfEviction(log)}), nil
	}, s.settle)
}

// settle gives the store the settings that a newer configuration may change.
func (s *Module) settle(store sessionstore.Store) {
	store.(layout.FolderStore).Set(s.mode, s.Threshold)
}

// report returns a function that logs what the store cannot tell anybody else.
func (s *Module) report(log stores.Log) func(error) {
	return func(err error) {
		log := log().With(zap.String("path", s.dir))
		if err == nil {
			log.Info("the session folder is in use")
			return
		}
		log.Error("the session folder is not in order", zap.Error(err))
	}
}

// OpenShared implements [stores.Sharer].
func (s *Module) OpenShared(l layout.Layout, lifetime time.Duration) (sessionstore.Store, func(), error) {
	is, err := stores.LayoutOf[layout.File](l, false)
	if err != nil {
		return nil, nil, err
	}
	if s.Directory == "" {
		return nil, nil, errors.New("store file: the folder of the app must be named here")
	}
	id := stores.Identity{Driver: "file " + is.Format, Resource: fmt.Sprint(s.dir, " ", lifetime)}
	return stores.ShareFor(s.holder, id, func(log stores.Log) (sessionstore.Store, error) {
		return is.Open(layout.Folder{Dir: s.dir, Endless: lifetime, OnError: s.report(log), OnEvict: s.warnOfEviction(log)}), nil
	}, s.settle)
}

// warnOfEviction returns a function that says that valid sessions are evicted, but not every time.
func (s *Module) warnOfEviction(log stores.Log) func(int) {
	var full seldom.Warning
	return func(int) {
		if full.Due() {
			log().Warn("the session folder is at its threshold: sessions that are still valid are being evicted", zap.String("path", s.dir))
		}
	}
}

// UnmarshalCaddyfile sets up the store from Caddyfile tokens. Syntax:
//
//	store file [<directory>] {
//		mode      <mode>
//		threshold <number>
//	}
func (s *Module) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // consume the module's name
	if err := config.Optional(d, "store file", "its folder", &s.Directory); err != nil {
		return err
	}
	return s.block().Read(d, "store file")
}

func (s *Module) block() config.Options {
	return config.Options{
		"mode": config.Matching(&s.Mode, "a mode such as 0600, 0640 or 0660", func(text string) bool {
			_, ok := parseMode(text)
			return ok
		}),
		"threshold": config.Number(&s.Threshold, 0),
	}
}

// Interface guards
var (
	_ caddy.Provisioner     = (*Module)(nil)
	_ stores.Sharer         = (*Module)(nil)
	_ caddyfile.Unmarshaler = (*Module)(nil)
)
