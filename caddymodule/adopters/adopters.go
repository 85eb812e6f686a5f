// Package adopters is what the modules in the namespace http.session.adopters have in common. An adopter knows a framework
// that keeps its sessions in a cookie of its own, and lets ours take that cookie's place.
package adopters

import (
	"github.com/caddy-session/caddy-session/caddymodule/dialects"
	"github.com/caddy-session/caddy-session/internal/jsondoc"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// Namespace is where the adopters register. The inline key of their JSON is "kind".
const Namespace = "http.session.adopters"

// Adopter is implemented by the modules in [Namespace].
type Adopter interface {
	// CookieName returns the name of the app's cookie. It is asked for before provisioning, too.
	CookieName() string

	// Form returns how that cookie holds a session. It is called once, after provisioning.
	Form() Form
}

// Form is how a framework's cookie holds a session.
type Form struct {
	// Codec is the format of what the cookie holds.
	Codec sessionstore.ForeignCodec

	// Client signs and verifies the cookie.
	Client dialects.Client

	// Atom reports whether an object in the data stands for something else, and so is changed as a whole.
	Atom func(jsondoc.Value) bool

	// Check returns an error if the app could not read a session with these data. It is asked at each change.
	Check func(jsondoc.Value) error
}
