// Package session gives other Caddy plugins read access to the session of a request. Only the app
// changes its data. A plugin calls [From] in its handler, behind the directive session.
package session

import (
	"context"
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// Session is the session as it was when the request arrived. The methods with a context work until
// the response begins; later, and in error routes, they give [sessionstore.ErrNoIndex]. It is valid
// until the request ends, and must not be used by several goroutines at once.
type Session interface {
	// Handler returns the name of the session handler, or "" if it has none.
	Handler() string

	// Exists reports whether there is a session.
	Exists() bool

	// Unavailable reports whether the session could not be loaded, or the request was refused.
	// Whether there is a session is unknown then.
	Unavailable() bool

	// Ref returns the session's name in logs, never its id. It is "" if there is no session.
	Ref() string

	// User returns who has logged in, as the option user says it, or "" for nobody.
	User() string

	// Data returns the data as a JSON object in ASCII, {} if there is no session.
	Data() string

	// Field returns a field of the data, by its dotted path, as nil, a bool, a string, an
	// [encoding/json.Number], a map[string]any or an []any. ok is false if there is no such field.
	Field(path string) (value any, ok bool)

	// UserSessions returns all sessions of the user, the last used first. The error is
	// [sessionstore.ErrNoIndex] if they are not known, or comes from the store.
	UserSessions(ctx context.Context) ([]sessionstore.Info, error)

	// End ends a session. Whose it is must have been checked, as by UserSessions.
	End(ctx context.Context, ref string) error

	// EndOthers ends all sessions of the user but this one.
	EndOthers(ctx context.Context) error

	// Outer returns the session of the session handler before this one, or nil.
	Outer() Session
}

// UserID is the value of the placeholder {http.auth.user.id} if it comes from a session, by the
// option user with authenticate. If another handler has authenticated the user, the value has
// another type.
type UserID string

// String implements [fmt.Stringer].
func (id UserID) String() string { return string(id) }

// Variable is the request variable with the session. No placeholder can name it.
const Variable = "\x00session"

// From returns the session of the last session handler that the request has passed, or nil if there
// was none.
func From(r *http.Request) Session {
	s, _ := caddyhttp.GetVar(r.Context(), Variable).(Session)
	return s
}

// Of returns the session of the session handler with this name, or nil if the request has not
// passed it.
func Of(r *http.Request, handler string) Session {
	s := From(r)
	for s != nil && s.Handler() != handler {
		s = s.Outer()
	}
	return s
}
