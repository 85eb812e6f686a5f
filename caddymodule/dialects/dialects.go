// Package dialects is what the modules in the namespace http.session.dialects have in common. A
// dialect is a format of sessions. With the dialect of another framework, the handler shares that
// framework's sessions.
package dialects

import (
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/layout"
)

// Namespace is the namespace of the dialect modules. The inline key of their JSON is "format".
const Namespace = "http.session.dialects"

// Dialect is implemented by the modules in [Namespace].
type Dialect interface {
	// Format returns the format of the sessions. It is called once, after provisioning.
	Format() Format
}

// Shared is implemented by dialects whose sessions and cookie another framework uses too.
type Shared interface {
	// CookieName returns the CookieName of [Format]. It may be called before provisioning.
	CookieName() string
}

// Format describes the sessions of a dialect. The zero value of each field but Codec means the
// native format.
type Format struct {
	// Codec is the format of the records: a [sessionstore.ForeignCodec], except in the native
	// dialect.
	Codec sessionstore.Codec

	// Layouts describe how the framework keeps its records, one for each kind of store that can be
	// shared with it. Nil: the records are kept as native ones.
	Layouts []layout.Layout

	// Cookies is the format of cookies that name a session. Nil: they are signed with the handler's
	// secret.
	Cookies Cookies

	// Client keeps whole sessions in cookies. If it is not nil, there is no store, and Cookies is
	// not used.
	Client Client

	// CookieName is the default name of the cookie.
	CookieName string

	// Lifetime is how long a session lives after it was last saved or touched.
	Lifetime time.Duration

	// Doubt names the setting that may differ from the app's if a request's cookie has an invalid
	// signature or names no session. Without this hint, users would be logged out and the log would
	// not say why. It returns "" if no setting can be wrong. It may be nil.
	Doubt func(cookie string, verified bool) string

	// Permanent is the default for whether the cookies of new sessions outlive the browser.
	Permanent bool
}

// Foreign reports whether another program defines the format of the sessions.
func (f *Format) Foreign() bool {
	_, foreign := f.Codec.(sessionstore.ForeignCodec)
	return foreign
}

// Cookies makes and reads cookies that name a session. Its methods may be called concurrently.
type Cookies interface {
	// Sign returns the cookie's value for an id.
	Sign(id string) string

	// Verify returns the id in a cookie's value. stale says that the cookie should be signed again,
	// with the first key. Its duration depends on nothing but the length of value.
	Verify(value string) (id string, stale, ok bool)
}

// Client makes and reads cookies that hold a whole session. Its methods may be called concurrently.
type Client interface {
	// Seal returns the cookie's value for a payload of the codec.
	Seal(payload []byte, now time.Time) string

	// Open returns the payload for the codec and the time since it was sealed. stale says that it
	// should be sealed again, with the first key.
	Open(value string, now time.Time) (payload []byte, age time.Duration, stale, ok bool)
}
