// Package session gives other Caddy modules the session of a request, to read it. Changes are the app's: see
// [sessionstore.Change].
package session

import (
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// Session is the session of a request as its handler has found it. It belongs to the request, and is not for several
// goroutines at once.
type Session interface {
	// Handler is the name of the session handler, and empty if it has none.
	Handler() string

	// Exists reports whether there is a session.
	Exists() bool

	// Unavailable reports whether nobody knows, as the session could not be loaded.
	Unavailable() bool

	// Ref is the session's name in logs, never its id. It is empty if there is no session.
	Ref() string

	// Data are the data, as a JSON object in ASCII: {} if there is no session.
	Data() string

	// Field returns a field of the data, by its dotted path: nil, a bool, a string, a [encoding/json.Number], a
	// map[string]any or an []any. It reports false if there is none.
	Field(path string) (value any, ok bool)

	// Outer is the session of the handler that the request has passed before, and nil if there was none.
	Outer() Session
}

// Variable is the name under which a handler puts its session into the variables of a request. No placeholder can name
// it.
const Variable = "\x00session"

// From returns the session of the handler that the request has passed last, and nil if there was none.
func From(r *http.Request) Session {
	s, _ := caddyhttp.GetVar(r.Context(), Variable).(Session)
	return s
}

// Of is [From] for the handler of this name.
func Of(r *http.Request, handler string) Session {
	s := From(r)
	for s != nil && s.Handler() != handler {
		s = s.Outer()
	}
	return s
}
