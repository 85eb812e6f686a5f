// Package parts contains the parts of the session handler, one per file. A part adds something of
// the session to requests, and takes changes of the session from responses. The handler has a list
// of parts and knows only the interface [Part]. No part knows another one. If the order matters,
// the list defines it.
package parts

import (
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-session/caddy-session/internal/jsondoc"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// Part adds something of the session to requests and takes changes from responses. It belongs to a
// handler and is safe for concurrent use. What belongs to a request is in the View.
type Part interface {
	// Forward adds headers and cookies to the request. An error refuses the request.
	Forward(v *View, to *Forwarded) error

	// Takes returns the name of the response header that this part takes, or "". No client gets
	// this header.
	Takes() string

	// Take adds to the change what the header's lines ask for. If a response has lines for any
	// part, it is called for every part; lines is nil if there are none for this one. An error
	// refuses the response. It names the header, contains no data and wraps
	// [sessionstore.ErrInvalid].
	Take(v *View, lines []string, a *Answer) error
}

// CookieTaker is implemented by parts that take Set-Cookie lines.
type CookieTaker interface {
	// TakesCookie reports whether this part takes a Set-Cookie line. The first such part in the
	// list gets it.
	TakesCookie(line string) bool
}

// Chooser is implemented by parts that take their header from some responses only. It is removed
// from all responses.
type Chooser interface {
	// TakesFrom reports whether the part takes its header from this response. It sees the head as
	// the app sent it.
	TakesFrom(status int, head http.Header) bool
}

// View is what parts see of a request and its session.
type View struct {
	Request *http.Request
	Logger  *zap.Logger

	// Session is the session as it was when the request arrived. It is never nil.
	Session *sessionstore.Session

	// Unavailable says that the session could not be loaded.
	Unavailable bool

	// Host is the host that the client named, in lower case and without its port.
	Host string

	// CookieName is the name of the session cookie in this request. Unplantable says that no other
	// host can have set that cookie.
	CookieName  string
	Unplantable bool

	// Secure says that the client used TLS.
	Secure bool

	// Late is the URL for late changes, or empty.
	Late string

	// Outer are the sessions of the handlers before this one.
	Outer Fields

	// Omits says what is not forwarded because of max_headers.
	Omits Omission

	// Asked is the time when the request was forwarded to an adopted app.
	Asked time.Time

	parsed bool
	data   jsondoc.Value
}

// Omission is what is not forwarded. Each value includes those before it.
type Omission uint8

// The values, in the order in which things are omitted.
const (
	OmitNothing Omission = iota
	OmitData             // the data and messages, and the cookie of adopt
	OmitVault            // the cookies of the vault
	OmitInject           // the headers of inject
)

// Fields looks up fields of sessions.
type Fields interface {
	// Field returns the field that a placeholder names. isField is false if it is no field of a
	// session.
	Field(placeholder string) (value jsondoc.Value, found, isField bool)
}

// Data returns the session's data. An error wraps [sessionstore.ErrRecord].
func (v *View) Data() (jsondoc.Value, error) {
	if v.parsed {
		return v.data, nil
	}
	if !v.Session.Exists() {
		v.data = jsondoc.NewObject()
	} else {
		var err error
		if v.data, err = jsondoc.Parse(jsondoc.WithoutSurrogates(v.Session.Data()), jsondoc.MaxDepth); err != nil {
			return v.data, sessionstore.ErrRecord
		}
	}
	v.parsed = true
	return v.data, nil
}

// Answer is what a response asks for.
type Answer struct {
	Change sessionstore.Change

	// Redirect says that the response sends the browser to another page, as most logins do.
	Redirect bool
}

// replaceSession ends the old session. Because of max_headers the app did not get its cookies, so
// it has begun a new session.
func (a *Answer) replaceSession(v *View) {
	v.Logger.Warn("the app began a new session, as the headers of the old one were longer than max_headers", zap.String("ref", v.Session.Ref()))
	a.Change.Destroy = true
}

// forwardsNothing is embedded by parts that add nothing to requests.
type forwardsNothing struct{}

func (forwardsNothing) Forward(*View, *Forwarded) error { return nil }

// takesNothing is embedded by parts that take nothing from responses.
type takesNothing struct{}

func (takesNothing) Takes() string                       { return "" }
func (takesNothing) Take(*View, []string, *Answer) error { return nil }
