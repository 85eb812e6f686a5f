// Package faulty is a session store in memory that fails when a test wants it to. Files in a folder
// control it: see [Control].
package faulty

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-session/caddy-session/caddymodule/stores"
	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/memory"
)

func init() { caddy.RegisterModule(new(Module)) }

// Module is the store faulty <dir>.
type Module struct {
	Dir string `json:"dir,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (*Module) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.session.stores.faulty", New: func() caddy.Module { return new(Module) }}
}

// Open implements [stores.Module].
func (s *Module) Open() (sessionstore.Store, func(), error) {
	id := stores.Identity{Driver: "faulty", Resource: s.Dir}
	return stores.ShareFor(stores.Alone(caddy.Log()), id, func(stores.Log) (sessionstore.Store, error) {
		return &store{Store: memory.New(memory.Options{}), control: Control(s.Dir)}, nil
	}, nil)
}

// UnmarshalCaddyfile sets up the store from Caddyfile tokens.
func (s *Module) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // consume the module's name
	if !d.AllArgs(&s.Dir) {
		return d.ArgErr()
	}
	return nil
}

// The operations of a store.
const (
	Get    = "get"
	Set    = "set"
	Delete = "delete"
	Touch  = "touch"
)

// The orders for an operation.
const (
	Fail    = "fail"    // return an error at once
	Hang    = "hang"    // wait until the context ends, then fail
	Wait    = "wait"    // wait until the order is withdrawn, then continue
	Damaged = "damaged" // Get only: return a record that cannot be read
	Lost    = "lost"    // do it, then return an error
)

// Control is the folder by which a test controls a store in another process.
type Control string

func (c Control) order(op string) string { return filepath.Join(string(c), op+".order") }

// Tell sets the order for an operation; "" withdraws it.
func (c Control) Tell(op, order string) error {
	if order == "" {
		return os.Remove(c.order(op))
	}
	temp := c.order(op) + ".new"
	if err := os.WriteFile(temp, []byte(order), 0o600); err != nil {
		return err
	}
	return os.Rename(temp, c.order(op))
}

// Calls returns all operations so far, in order.
func (c Control) Calls() []string {
	text, _ := os.ReadFile(filepath.Join(string(c), "calls"))
	return strings.Fields(string(text))
}

type store struct {
	sessionstore.Store
	control Control
	mu      sync.Mutex
}

var errFaulty = errors.New("told to fail")

// obey records the call and follows the order.
func (s *store) obey(ctx context.Context, op string) (order string, err error) {
	s.mu.Lock()
	f, err := os.OpenFile(filepath.Join(string(s.control), "calls"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, _ = f.WriteString(op + "\n")
		_ = f.Close()
	}
	s.mu.Unlock()
	for {
		text, err := os.ReadFile(s.control.order(op))
		if err != nil {
			return "", nil
		}
		switch order = string(text); order {
		case Fail:
			return order, unavailable(errFaulty)
		case Hang:
			<-ctx.Done()
			return order, unavailable(ctx.Err())
		case Wait:
			if ctx.Err() != nil {
				return order, unavailable(ctx.Err())
			}
			time.Sleep(2 * time.Millisecond)
		default:
			return order, nil
		}
	}
}

func unavailable(err error) error { return fmt.Errorf("%w: %w", sessionstore.ErrUnavailable, err) }

func (s *store) Get(ctx context.Context, key string) (sessionstore.Entry, error) {
	order, err := s.obey(ctx, Get)
	if err != nil {
		return sessionstore.Entry{}, err
	}
	entry, err := s.Store.Get(ctx, key)
	if order == Damaged && entry.Found() {
		entry.Value = append([]byte(nil), entry.Value...)
		entry.Value[len(entry.Value)-1] ^= 1
	}
	return entry, err
}

func (s *store) CompareAndSet(ctx context.Context, key string, old, value []byte, ttl time.Duration) (sessionstore.Entry, error) {
	order, err := s.obey(ctx, Set)
	if err != nil {
		return sessionstore.Entry{}, err
	}
	entry, err := s.Store.CompareAndSet(ctx, key, old, value, ttl)
	if order == Lost && err == nil {
		err = unavailable(errFaulty)
	}
	return entry, err
}

func (s *store) CompareAndDelete(ctx context.Context, key string, old []byte) (sessionstore.Entry, error) {
	if _, err := s.obey(ctx, Delete); err != nil {
		return sessionstore.Entry{}, err
	}
	return s.Store.CompareAndDelete(ctx, key, old)
}

func (s *store) Touch(ctx context.Context, key string, old []byte, ttl time.Duration) error {
	if _, err := s.obey(ctx, Touch); err != nil {
		return err
	}
	return s.Store.Touch(ctx, key, old, ttl)
}

// Interface guards
var (
	_ stores.Module         = (*Module)(nil)
	_ caddyfile.Unmarshaler = (*Module)(nil)
	_ sessionstore.Store    = (*store)(nil)
)
