// Package none keeps no sessions: what a request saves is forgotten with it.
package none

import (
	"context"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// Store is a [sessionstore.Store] in which nothing is ever found. Every change succeeds, whatever it expects to be there, and
// is forgotten: so it does not keep the contract, and must not be used where anything relies on that.
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
