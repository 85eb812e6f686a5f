package caddymodule

import (
	"context"
	"net/http"

	"github.com/caddy-session/caddy-session/caddymodule/keep"
	"github.com/caddy-session/caddy-session/caddymodule/session"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// view is the exchange as other modules see it.
type view exchange

// latest returns the exchange of the last session handler that the request has passed.
func latest(r *http.Request) *exchange {
	v, _ := session.From(r).(*view)
	return (*exchange)(v)
}

// Handler implements [session.Session].
func (v *view) Handler() string { return v.h.Name }

// Exists implements [session.Session].
func (v *view) Exists() bool { return v.Session.Exists() }

// Unavailable implements [session.Session].
func (v *view) Unavailable() bool { return v.unavailable || v.failure != nil }

// Ref implements [session.Session].
func (v *view) Ref() string { return v.Session.Ref() }

// User implements [session.Session].
func (v *view) User() string { return v.Session.User() }

// Data implements [session.Session].
func (v *view) Data() string { return v.Session.Data() }

// Field implements [session.Session].
func (v *view) Field(path string) (value any, ok bool) {
	found, ok := (*exchange)(v).lookup(path)
	if !ok {
		return nil, false
	}
	return found.Native(), true
}

// users returns what knows the sessions of users, or nil.
func (v *view) users() keep.Users {
	if v.progress != waiting || v.ended {
		return nil // the store may have been released
	}
	users, _ := v.h.keeper.(keep.Users)
	return users
}

// UserSessions implements [session.Session].
func (v *view) UserSessions(ctx context.Context) ([]sessionstore.Info, error) {
	if users := v.users(); users != nil {
		return users.UserSessions(ctx, &v.Visit)
	}
	return nil, sessionstore.ErrNoIndex
}

// End implements [session.Session].
func (v *view) End(ctx context.Context, ref string) error {
	if users := v.users(); users != nil {
		return users.End(ctx, &v.Visit, ref)
	}
	return sessionstore.ErrNoIndex
}

// EndOthers implements [session.Session].
func (v *view) EndOthers(ctx context.Context) error {
	if users := v.users(); users != nil {
		return users.EndOthers(ctx, &v.Visit)
	}
	return sessionstore.ErrNoIndex
}

// Outer implements [session.Session].
func (v *view) Outer() session.Session {
	if v.outer == nil {
		return nil
	}
	return (*view)(v.outer)
}

// String keeps the contents of the exchange out of placeholders and logs.
func (*view) String() string { return "session" }

// Interface guard
var _ session.Session = (*view)(nil)
