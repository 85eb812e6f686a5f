// Package keep loads and saves the sessions of requests, in a store or in the cookie itself. No
// other package needs to know which.
package keep

import (
	"context"
	"net/http"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// Keeper loads and saves sessions. It is safe for concurrent use.
type Keeper interface {
	// Enter begins a visit. After an error, which means that the sessions are unreachable, the
	// visit must not be used. Otherwise it must be ended by Leave.
	Enter(v *Visit) error

	// Find loads the session that the visit's cookies name, into the visit. It keeps the session
	// from expiring until [Visit.LetGo]. A missing session is no error.
	Find(v *Visit) error

	// Save applies a change to the visit's session, or to a new one if there is none. app holds the
	// values of session cookies that the app has set itself; they may name another session. An
	// error wraps [sessionstore.ErrInvalid] if the change is invalid, and otherwise comes from the
	// store.
	Save(v *Visit, change *sessionstore.Change, app []string) (Outcome, error)

	// Renew returns the value to set the cookie of the visit's session again. It reports false if
	// the session has a new id or has ended.
	Renew(v *Visit) (value string, ok bool)

	// Answered records facts about the response: whether its change was saved, and whether it sets
	// the cookie again.
	Answered(v *Visit, saved, renewed bool)

	// Watch calls end, in another goroutine, when the session is over that the visit has after its
	// change. A new id does not end it. A call may come twice, or at the same time as stop. Watch
	// must be called before Leave.
	Watch(v *Visit, end func()) (stop func())

	// Later returns how to change the session that the visit has after its change, under this ref,
	// when the response is on its way. It is nil if there is no session. It must be called before
	// Leave.
	Later(v *Visit, ref string) Later

	// Leave ends the visit's use of the store. It does nothing if that has ended or Enter was not
	// called.
	Leave(v *Visit)

	// Look says what a value of the cookie leads to, for a site with this scope. browser are the
	// values of the second cookie, or nil if that is not known. It writes nothing.
	Look(ctx context.Context, value string, scope sessionstore.Scope, browser []string) (Look, error)

	// Reach reports an error if the store cannot be read.
	Reach(ctx context.Context) error

	// Options returns the options of the sessions, with their defaults.
	Options() sessionstore.Options

	// Cleanup releases the store after the last visit. Running visits go on, and new ones may still
	// begin.
	Cleanup()
}

// Later makes a change to a session for which no cookie can be set any more: see
// [sessionstore.Later]. It may be called long after the visit has ended, but not forever: it holds
// nothing of the store. Errors are as of [Keeper.Save].
type Later func(ctx context.Context, change *sessionstore.Change) (sessionstore.Outcome, error)

// Visit is what a keeper knows about one request.
type Visit struct {
	Request *http.Request

	// Scope is the scope of the session.
	Scope sessionstore.Scope

	// Virtual says that the request comes from templates, so that its response can set no cookie.
	Virtual bool

	// Client is who has sent the request, if sessions remember that.
	Client sessionstore.Client

	// Cookies are the values of all session cookies in the request. Browser are those of the second
	// cookie, which ends with the browser.
	Cookies, Browser []string

	// Ref names the session of a virtual request without a cookie. If [Keeper.Find] fails, it is
	// the ref of the session that could not be loaded, if known.
	Ref string

	// Session is the session that was found, or [Nobody]. It is never nil.
	Session *sessionstore.Session

	// Finding says what the cookies have led to.
	Finding Finding

	// Verified is the number of valid cookies, with or without a session.
	Verified int

	// Stale says that an older key has signed the cookie.
	Stale bool

	// Touched says that the session's use is being recorded.
	Touched bool

	// place is where the session is, or the one that the response has begun. held keeps it from
	// expiring.
	place sessionstore.Place
	held  *hold

	// manager is set from Enter to Leave, if the session is in a store.
	manager *sessionstore.Manager

	// id is the id in the session's cookie. signed are the contents of all valid cookies.
	id     string
	signed []signed

	// payload is the session in the cookie, if the cookie holds it.
	payload []byte
}

// Key returns the key of the record of the session, as it is after the change, or nothing.
func (v *Visit) Key() string { return v.place.Key }

// Again forgets what [Keeper.Find] has found, so that it can be called again.
func (v *Visit) Again() {
	v.LetGo()
	v.held = nil
	v.Session, v.Finding, v.Verified, v.Stale, v.Touched = Nobody, NoCookie, 0, false, false
	v.place, v.id = sessionstore.Place{}, ""
}

// Finding says what the session cookies of a request have led to. If they have led to several
// things, it is the one that comes last in the list below.
type Finding uint8

// The findings.
const (
	NoCookie   Finding = iota // there is none
	Forged                    // none is valid
	Unknown                   // a valid one, and no record
	OtherScope                // a record that counts for another site
	Over                      // a record whose time is over, or that was emptied or replaced
	Hit                       // a session
)

// learn records what became of a valid cookie, or of a ref.
func (v *Visit) learn(s *sessionstore.Session) {
	v.Finding = max(v.Finding, findingOf(s))
}

func findingOf(s *sessionstore.Session) Finding {
	if s.Exists() {
		return Hit
	}
	return [...]Finding{sessionstore.Missing: Unknown, sessionstore.Over: Over, sessionstore.OtherScope: OtherScope}[s.Absence()]
}

// Nobody is the session of all requests without one. It is shared and never changed. A change
// begins a new session, which has a scope.
var Nobody = new(sessionstore.Session)

// Outcome is the result of a change.
type Outcome struct {
	sessionstore.Outcome

	// Value is the value of the cookie, if Cookie is [sessionstore.CookieSet].
	Value string

	// Replaces says that the session cookie includes the app's changes and replaces the cookie that
	// the app has set.
	Replaces bool
}

// MaxCookies is the maximum number of valid cookies that are looked up. Another site of the same
// domain may have added some.
const MaxCookies = 16
