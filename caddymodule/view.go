package caddymodule

import (
	"net/http"

	"github.com/caddy-session/caddy-session/caddymodule/session"
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
