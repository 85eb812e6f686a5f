// Package file is the session store module that keeps sessions in a folder, one file a session.
package file

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap"

	"github.com/caddy-session/caddy-session/caddymodule/stores"
	"github.com/caddy-session/caddy-session/frameworks/flask/cachelib"
	"github.com/caddy-session/caddy-session/internal/placeholders"
	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/file"
)

func init() { caddy.RegisterModule(new(Store)) }

// Store keeps the sessions in a folder of this machine, one file a session. The folder is made when the first
// session is saved. A change that was answered is on disk. Several processes may use the folder at once.
type Store struct {
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
func (*Store) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.session.stores.file", New: func() caddy.Module { return new(Store) }}
}

// Provision implements [caddy.Provisioner]. It looks at the folder and leaves it as it is.
func (s *Store) Provision(ctx caddy.Context) error {
	s.holder = stores.NewHolder(ctx)
	var err error
	if s.mode, err = parseMode(s.Mode); err != nil {
		return fmt.Errorf("store file: %w", err)
	}
	if s.Threshold < 0 {
		return fmt.Errorf("store file: threshold %d: it must be 0 or greater", s.Threshold)
	}
	s.dir = DefaultDirectory()
	if s.Directory != "" {
		dir, err := placeholders.Resolve(s.Directory)
		if err != nil {
			return fmt.Errorf("store file: directory: %w", err)
		}
		if s.dir, err = filepath.Abs(dir); err != nil {
			return fmt.Errorf("store file: directory: %w", err)
		}
	}
	// Two ways to write the path of one folder share a store.
	if real, err := filepath.EvalSymlinks(s.dir); err == nil {
		s.dir = real
	} else if parent, err := filepath.EvalSymlinks(filepath.Dir(s.dir)); err == nil {
		s.dir = filepath.Join(parent, filepath.Base(s.dir))
	}
	if err := file.Check(s.dir); err != nil {
		return s.holder.Unusable(fmt.Errorf("store file: %w", err))
	}
	return nil
}

// parseMode reads a mode of files that their owner can read and write, and nobody can run.
func parseMode(from string) (fs.FileMode, error) {
	if from == "" {
		return file.DefaultFileMode, nil
	}
	mode, err := strconv.ParseUint(from, 8, 32)
	if err != nil || mode&0o600 != 0o600 || mode&^0o666 != 0 {
		return 0, fmt.Errorf("mode: %q is not a mode such as 0600, 0640 or 0660", from)
	}
	return fs.FileMode(mode), nil
}

// warnEvery is how often an operator is told that sessions are being lost.
const warnEvery = time.Minute

// Open implements [stores.Store].
func (s *Store) Open() (sessionstore.Store, func(), error) {
	id := stores.Identity{Driver: "file", Resource: s.dir}
	return stores.ShareFor(s.holder, id, func(log stores.Log) (sessionstore.Store, error) {
		return file.Open(file.Options{Dir: s.dir, OnError: s.report(log), OnEvict: s.warnOfEviction(log)}), nil
	}, s.settle)
}

// settings are those of a store that a newer configuration may change.
type settings interface {
	Set(mode fs.FileMode, threshold int)
}

func (s *Store) settle(store sessionstore.Store) { store.(settings).Set(s.mode, s.Threshold) }

// report returns a function that logs what the store cannot tell anybody else.
func (s *Store) report(log stores.Log) func(error) {
	return func(err error) {
		log := log().With(zap.String("path", s.dir))
		if err == nil {
			log.Info("the session folder is in use")
			return
		}
		log.Error("the session folder is not in order", zap.Error(err))
	}
}

// OpenShared implements [stores.Sharer]. Flask-Session keeps files as its library cachelib does.
func (s *Store) OpenShared(layout stores.Layout, lifetime time.Duration) (sessionstore.Store, func(), error) {
	if err := layout.Check("file", false); err != nil {
		return nil, nil, err
	}
	if s.Directory == "" {
		return nil, nil, errors.New("store file: the folder of the app must be named here")
	}
	id := stores.Identity{Driver: "file " + string(layout), Resource: fmt.Sprint(s.dir, " ", lifetime)}
	return stores.ShareFor(s.holder, id, func(log stores.Log) (sessionstore.Store, error) {
		return cachelib.Open(cachelib.Options{Dir: s.dir, Endless: lifetime, OnError: s.report(log), OnEvict: s.warnOfEviction(log)}), nil
	}, s.settle)
}

// warnOfEviction returns a function that says that valid sessions are dropped, but not every time.
func (s *Store) warnOfEviction(log stores.Log) func(int) {
	var warned atomic.Int64
	return func(int) {
		now := time.Now().UnixNano()
		if last := warned.Load(); now-last > int64(warnEvery) && warned.CompareAndSwap(last, now) {
			log().Warn("the session folder is at its threshold: sessions that are still valid are being dropped", zap.String("path", s.dir))
		}
	}
}

// UnmarshalCaddyfile sets up the store from Caddyfile tokens. Syntax:
//
//	store file [<directory>] {
//		mode      <mode>
//		threshold <number>
//	}
func (s *Store) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // consume the module's name
	if d.NextArg() {
		s.Directory = d.Val()
	}
	if d.NextArg() {
		return d.Err("store file takes one value, its folder; one with blanks stands in quotes")
	}
	return stores.Block(d, "store file", stores.Options{
		"mode": func() (err error) {
			const right = "a mode such as 0600, 0640 or 0660"
			if s.Mode, err = stores.One(d, right); err != nil {
				return err
			}
			if _, err := parseMode(s.Mode); err != nil {
				return d.Errf("mode must be %s, not %q", right, s.Mode)
			}
			return nil
		},
		"threshold": func() error { return stores.Number(d, &s.Threshold, 0) },
	})
}

// Interface guards
var (
	_ caddy.Provisioner     = (*Store)(nil)
	_ stores.Sharer         = (*Store)(nil)
	_ caddyfile.Unmarshaler = (*Store)(nil)
)
