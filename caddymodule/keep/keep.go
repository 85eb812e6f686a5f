// Package keep is where the session of a request comes from and goes to: a store, or the cookie itself. Nothing outside of it
// asks which of them it is.
package keep

import (
	"net/http"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// Keeper finds sessions and saves what responses change. It may be used by many goroutines at once.
type Keeper interface {
	// Enter begins a visit. Only if it succeeds may the visit go on, and must be left in the end. An error means that the
	// sessions are out of reach.
	Enter(v *Visit) error

	// Find puts the session into the visit that its cookies name, and looks after it until the visit is left. A session
	// that does not exist is no error.
	Find(v *Visit) error

	// Save makes a change to the session of the visit, or begins one. App holds the values of the cookies that the app
	// itself has set in the name of ours, which may name another session. An error wraps [sessionstore.ErrInvalid] if the
	// change cannot be made, whatever the store does.
	Save(v *Visit, change *sessionstore.Change, app []string) (Outcome, error)

	// Renew returns the value that sets the cookie of the visit's session once more. It reports false if the session has
	// a new id by now, or has ended.
	Renew(v *Visit) (value string, ok bool)

	// Answered records what the answer means for the session beside its change: whether that was saved, and whether the
	// cookie is set once more.
	Answered(v *Visit, saved, renewed bool)

	// Leave ends the visit. It does nothing if that was left before, or not entered.
	Leave(v *Visit)

	// Options are how the sessions are kept, with their defaults.
	Options() sessionstore.Options

	// Cleanup says that no more visits are to be expected. Those under way go on, and even new ones may come.
	Cleanup()
}

// Visit is what a keeper knows of one request.
type Visit struct {
	Request *http.Request

	// Scope is where the session counts.
	Scope sessionstore.Scope

	// Virtual says that the request is templates' own, whose answer can set no cookie.
	Virtual bool

	// Cookies are the values of all cookies that came under the name of ours, and Browser those of the second cookie,
	// which ends with the browser.
	Cookies, Browser []string

	// Ref names the session of a virtual request without a cookie. When [Keeper.Find] fails, it is that of the session
	// which could not be loaded, if that is known.
	Ref string

	// Session is what was found, and [Nobody] as long as nothing was: it is never nil.
	Session *sessionstore.Session

	// Verified is how many of the cookies are valid, whether or not there is still a session.
	Verified int

	// Stale says that an older key has signed the session's cookie.
	Stale bool

	// Touched says that the use of the session is being recorded.
	Touched bool

	// manager is there while the visit in a store has been entered and not left.
	manager *sessionstore.Manager

	// id is what the session's cookie says, and signed are all that verify.
	id         string
	signed     []signed
	signedRoom [1]signed // so that one needs no memory of its own

	// payload is what a cookie held that is a session by itself.
	payload []byte
}

// Nobody is the session of all requests without one, which share it: it is never changed. It
// has no scope, so that what a change begins is another.
var Nobody = new(sessionstore.Session)

// Outcome is what has become of a change.
type Outcome struct {
	sessionstore.Outcome

	// Value is that of the cookie, if the outcome says [sessionstore.CookieSet].
	Value string

	// Replaces says that our cookie has all that the app's has, and takes its place.
	Replaces bool
}

// maxCookies is how many cookies that verify are looked up: another site of the
// same domain may have added some of its own.
const maxCookies = 16
