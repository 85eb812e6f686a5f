// Package parts is what a session does to requests and responses: a file for each part. The handler has a list of them and
// knows no more than [Part]. No part knows another; where order matters, the list's order says it.
package parts

import (
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-session/caddy-session/internal/jsondoc"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// Part is one thing that a session does. It belongs to a handler, and may be used by many goroutines at once: whatever
// belongs to a request is in the View.
type Part interface {
	// Forward tells the app of the session, in the headers of its request. An error refuses the request.
	Forward(v *View, to *Forwarded) error

	// Takes returns the name of the response header whose lines are for this part, and go no further: "" if none are.
	Takes() string

	// Take puts into the change what the lines ask for. It is called for every part when a response has lines for any;
	// lines is nil where it has none for this one. An error names the header, holds none of the data and wraps
	// [sessionstore.ErrInvalid]: it refuses the response.
	Take(v *View, lines []string, a *Answer) error
}

// CookieTaker is implemented by parts that take Set-Cookie lines.
type CookieTaker interface {
	// TakesCookie reports whether a Set-Cookie line is for this part. The first part of the list gets it.
	TakesCookie(line string) bool
}

// Chooser is implemented by parts that take their lines from some responses only. They go no further in the others too.
type Chooser interface {
	// TakesFrom looks at a response before anything is taken out of it.
	TakesFrom(status int, head http.Header) bool
}

// View is what parts see of a request and its session.
type View struct {
	Request *http.Request
	Logger  *zap.Logger

	// Session is as the request found it: never nil.
	Session *sessionstore.Session

	// Unavailable says that it could not be loaded.
	Unavailable bool

	// Host is the one that the client named, in lower case and without its port.
	Host string

	// CookieName is that of the session's cookie in this request, and Unplantable says that no other host can have set it.
	CookieName  string
	Unplantable bool

	// Secure says that the request came over TLS.
	Secure bool

	// Outer are the sessions of the handlers before.
	Outer Fields

	// Left says what the app is not told, as all headers of the session would be longer than they may be.
	Omits Omission

	// Asked is when an adopted app was told.
	Asked time.Time

	parsed bool
	data   jsondoc.Value
}

// Left says what is left out, and all before it.
type Omission uint8

// What is left out goes in this order.
const (
	OmitNothing Omission = iota
	OmitData             // the data, in whichever form: half of anything is never sent
	OmitVault            // those of the vault
	OmitInject           // the headers of inject
)

// Fields are what placeholders may name.
type Fields interface {
	// Field returns the field that a placeholder names, if it names one of a session.
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

// replaceSession ends the session of an app that was not given its cookies, and has begun a session of its own.
func (a *Answer) replaceSession(v *View) {
	v.Logger.Warn("the app has begun a new session in the place of one that is beyond max_headers", zap.String("ref", v.Session.Ref()))
	a.Change.Destroy = true
}

// forwardsNothing is embedded by parts that tell the app nothing.
type forwardsNothing struct{}

func (forwardsNothing) Forward(*View, *Forwarded) error { return nil }

// takesNothing is embedded by parts that take no header.
type takesNothing struct{}

func (takesNothing) Takes() string                       { return "" }
func (takesNothing) Take(*View, []string, *Answer) error { return nil }
