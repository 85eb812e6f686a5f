// Package file is the session store module for a folder with one file per session.
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
	"github.com/caddy-session/caddy-session/internal/ended"
	"github.com/caddy-session/caddy-session/internal/folder"
	"github.com/caddy-session/caddy-session/internal/seldom"
	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/file"
	"github.com/caddy-session/caddy-session/sessionstore/layout"
)

func init() { caddy.RegisterModule(new(Module)) }

// Module keeps the sessions in a folder on this machine, one file per session. The folder is
// created when the first session is saved. A confirmed change is on disk. Several processes may use
// the folder at once.
type Module struct {
	// The path of the folder. Placeholders such as {env.*} work. Default: session/files in Caddy's
	// data directory
	Directory string `json:"directory,omitempty"`

	// The mode of the files, in octal: 0600, or 0640 or 0660 for a group. If several handlers use
	// the same folder, the mode and the threshold of the last one apply. Default: 0600
	Mode string `json:"mode,omitempty"`

	// The maximum number of sessions. Shortly before it, the sessions that expire soonest are
	// evicted. There may be more until they have been counted, some time after the start. Default:
	// 0, no limit
	Threshold int `json:"threshold,omitempty"`

	dir    string
	mode   fs.FileMode
	holder *stores.Holder
}

// defaultDirectory returns the path of the folder if none is configured.
func defaultDirectory() string { return filepath.Join(caddy.AppDataDir(), "session", "files") }

// CaddyModule returns the Caddy module information.
func (*Module) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.session.stores.file", New: func() caddy.Module { return new(Module) }}
}

// Provision implements [caddy.Provisioner]. It checks the folder without changing it.
func (s *Module) Provision(ctx caddy.Context) error {
	s.holder = stores.NewHolder(ctx)
	if err := cmp.Or(file.Supported(), s.block().Check()); err != nil {
		return fmt.Errorf("store file: %w", err)
	}
	s.mode, _ = parseMode(cmp.Or(s.Mode, defaultMode))
	var err error
	if s.dir, err = config.Path("directory", s.Directory, defaultDirectory()); err != nil {
		return fmt.Errorf("store file: %w", err)
	}
	// A folder that cannot be listed, as PHP's in Debian, is of use to some.
	if err := cmp.Or(file.Supported(), folder.Writable(s.dir)); err != nil {
		return s.holder.Unusable(fmt.Errorf("store file: %w", err))
	}
	return nil
}

// defaultMode is [file.DefaultFileMode].
const defaultMode = "0600"

// parseMode parses the mode of files. The owner must be able to read and write them, and nobody to
// execute them.
func parseMode(text string) (mode fs.FileMode, ok bool) {
	bits, err := strconv.ParseUint(text, 8, 32)
	return fs.FileMode(bits), err == nil && bits&0o600 == 0o600 && bits&^0o666 == 0
}

// Place implements [stores.Placed].
func (s *Module) Place() string { return s.dir }

// Open implements [stores.Module].
func (s *Module) Open() (sessionstore.Store, func(), error) {
	id := stores.Identity{Driver: "file", Resource: s.dir}
	return stores.ShareFor(s.holder, id, func(log stores.Log) (sessionstore.Store, error) {
		return file.Open(file.Options{Dir: s.dir, OnError: s.report(log), OnEvict: s.warnOfEviction(log), OnExpire: ended.Expired.Inc}), nil
	}, s.settle)
}

// settle applies the settings that a newer configuration may change.
func (s *Module) settle(store sessionstore.Store) {
	store.(layout.FolderStore).Set(s.mode, s.Threshold)
}

// report returns a function that logs errors that no caller of the store sees.
func (s *Module) report(log stores.Log) func(error) {
	return func(err error) {
		log := log().With(zap.String("path", s.dir))
		if err == nil {
			log.Info("the session folder is in use")
			return
		}
		log.Error("the session folder cannot be used", zap.Error(err))
	}
}

// OpenShared implements [stores.Sharer].
func (s *Module) OpenShared(l layout.Layout, lifetime time.Duration) (sessionstore.Store, func(), error) {
	is, err := stores.LayoutOf[layout.File](l, false)
	if err != nil {
		return nil, nil, err
	}
	if s.Directory == "" {
		return nil, nil, errors.New("store file: the folder of the app is missing")
	}
	if is.Unbounded && s.Threshold > 0 {
		return nil, nil, errors.New("store file: threshold cannot be used: the app knows no maximum number of sessions")
	}
	id := stores.Identity{Driver: "file " + is.Format, Resource: fmt.Sprint(s.dir, " ", lifetime)}
	return stores.ShareFor(s.holder, id, func(log stores.Log) (sessionstore.Store, error) {
		return is.Open(layout.Folder{Dir: s.dir, Endless: lifetime, OnError: s.report(log), OnEvict: s.warnOfEviction(log)}), nil
	}, s.settle)
}

// warnOfEviction returns a function that counts the valid sessions that are evicted, and logs that,
// at most once a minute.
func (s *Module) warnOfEviction(log stores.Log) func(int) {
	var full seldom.Warning
	return func(n int) {
		ended.Evicted.Add(float64(n))
		if full.Due() {
			log().Warn("the session folder is at its threshold: valid sessions are being evicted", zap.String("path", s.dir))
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
	d.Next() // skip the module's name
	if err := config.Optional(d, "store file", "its folder", &s.Directory); err != nil {
		return err
	}
	return s.block().Read(d, "store file")
}

func (s *Module) block() config.Options {
	return config.Options{
		"directory": config.Argument("store file <directory>"),
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
