// Package none stores no sessions: every change is lost at the end of its request.
package none

import (
	"context"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// Store is a [sessionstore.Store] that is always empty. Every change succeeds, whatever it expects,
// and is dropped. So Store breaks the contract: use it only where nothing depends on sessions being
// kept.
type Store struct{}

// Get implements [sessionstore.Store].
func (Store) Get(ctx context.Context, _ string) (sessionstore.Entry, error) {
	return sessionstore.Entry{}, ctx.Err()
}

// CompareAndSet implements [sessionstore.Store].
func (Store) CompareAndSet(ctx context.Context, _ string, _, _ []byte, _ time.Duration) (sessionstore.Entry, error) {
	return sessionstore.Entry{}, ctx.Err()
}

// CompareAndDelete implements [sessionstore.Store].
func (Store) CompareAndDelete(ctx context.Context, _ string, _ []byte) (sessionstore.Entry, error) {
	return sessionstore.Entry{}, ctx.Err()
}

// Touch implements [sessionstore.Store].
func (Store) Touch(ctx context.Context, _ string, _ []byte, _ time.Duration) error { return ctx.Err() }

// Close implements [sessionstore.Store].
func (Store) Close() error { return nil }

var _ sessionstore.Store = Store{}
