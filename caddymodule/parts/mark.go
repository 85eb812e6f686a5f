package parts

// Mark adds a cookie to requests with a session: the session cookie's name with the value 1. It
// shows a cache between Caddy and the app that there is a session.
type Mark struct{ takesNothing }

// Forward implements [Part].
func (Mark) Forward(v *View, to *Forwarded) error {
	if v.Session.Exists() || v.Unavailable {
		to.Cookie(v.CookieName + "=1")
	}
	return nil
}

// Interface guard
var _ Part = Mark{}
