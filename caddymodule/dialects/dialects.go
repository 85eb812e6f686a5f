// Package dialects is what the modules in the namespace http.session.dialects have in common. A dialect is the form in
// which sessions are kept, so that they can be shared with a framework that keeps its own in that form.
package dialects

import (
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/layout"
)

// Namespace is where the dialects register. The inline key of their JSON is "format".
const Namespace = "http.session.dialects"

// Dialect is implemented by the modules in [Namespace].
type Dialect interface {
	// Format returns how sessions look in this dialect. It is called once, after provisioning.
	Format() Format
}

// Shared is implemented by dialects whose sessions and cookie another framework uses too.
type Shared interface {
	// CookieName is that of [Format], which is known before provisioning.
	CookieName() string
}

// Format is how a dialect keeps sessions. The zero value of each field but Codec is that of this project's own.
type Format struct {
	// Codec is the format of the records: a [sessionstore.ForeignCodec], but for our own.
	Codec sessionstore.Codec

	// Layouts are how the framework keeps the records, one for each store that it can share with us. Nil: they are kept as our
	// own are.
	Layouts []layout.Layout

	// Cookies is how a cookie names a session. If it is nil, it is signed with the handler's secret.
	Cookies Cookies

	// Client keeps whole sessions in cookies. If it is not nil, there is no store, and no Cookies.
	Client Client

	// CookieName is the cookie's name, where the configuration does not say another.
	CookieName string

	// Lifetime is how long a session lives after it was last saved or touched.
	Lifetime time.Duration

	// Doubt says which setting may be another than the app's when a request's cookie does not verify, or names no session: else its
	// user is logged out without a word. It is empty where none may. It may be nil.
	Doubt func(cookie string, verified bool) string

	// Permanent says whether the cookies of new sessions outlive the browser, where the configuration does not say it.
	Permanent bool
}

// Foreign reports whether the sessions are in another program's form.
func (f *Format) Foreign() bool {
	_, foreign := f.Codec.(sessionstore.ForeignCodec)
	return foreign
}

// Cookies makes and reads cookies that name a session. It may be used by many goroutines at once.
type Cookies interface {
	// Sign returns the cookie's value for an id.
	Sign(id string) string

	// Verify returns the id in a cookie's value, and whether it should be signed anew, with the first of the keys. It
	// takes as long for every value of one length, whatever is wrong with it.
	Verify(value string) (id string, stale, ok bool)
}

// Client makes and reads cookies that hold a whole session. It may be used by many goroutines at once.
type Client interface {
	// Seal returns the cookie's value for what the codec has encoded.
	Seal(payload []byte, now time.Time) string

	// Open returns what the codec is to decode, how long ago it was sealed, and whether that should be done anew, with
	// the first of the keys.
	Open(value string, now time.Time) (payload []byte, age time.Duration, stale, ok bool)
}
