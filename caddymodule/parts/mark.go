package parts

// Mark gives the app a cookie with the name of the session's and the value 1 while there is a session, so that a cache in
// between sees that.
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
