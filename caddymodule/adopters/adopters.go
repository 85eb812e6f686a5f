// Package adopters is what the modules in the namespace http.session.adopters have in common. An
// adopter knows a framework that keeps sessions in a cookie of its own. The handler replaces that
// cookie with its own session.
package adopters

import (
	"github.com/caddy-session/caddy-session/caddymodule/dialects"
	"github.com/caddy-session/caddy-session/internal/jsondoc"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// Namespace is the namespace of the adopter modules. The inline key of their JSON is "kind".
const Namespace = "http.session.adopters"

// Adopter is implemented by the modules in [Namespace].
type Adopter interface {
	// CookieName returns the name of the app's cookie. It may be called before provisioning.
	CookieName() string

	// Form returns how that cookie holds a session. It is called once, after provisioning.
	Form() Form
}

// Form is how a framework's cookie holds a session.
type Form struct {
	// Codec is the format of the cookie's content.
	Codec sessionstore.ForeignCodec

	// Client signs and verifies the cookie.
	Client dialects.Client

	// Atom reports whether an object in the data represents a single value, which changes only as a
	// whole.
	Atom func(jsondoc.Value) bool

	// Check returns an error if the app could not read a session with these data. It is called for
	// each change.
	Check func(jsondoc.Value) error
}
