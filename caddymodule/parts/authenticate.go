package parts

import (
	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-session/caddy-session/caddymodule/session"
)

// authenticatedUser is the placeholder by which Caddy's handlers tell who has authenticated. Caddy
// writes it to the access log, and php_fastcgi sends it as REMOTE_USER.
const authenticatedUser = "http.auth.user.id"

// Authenticate tells Caddy who has logged in to the session, unless another handler has said before
// who it is. Of several sessions, the last one says it, even if nobody has logged in to that.
type Authenticate struct{ takesNothing }

// Forward implements [Part].
func (Authenticate) Forward(v *View, _ *Forwarded) error {
	repl, ok := v.Request.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok {
		return nil
	}
	value, found := repl.Get(authenticatedUser)
	_, ours := value.(session.UserID)
	switch user := v.Session.User(); {
	case found && !ours:
	case user != "":
		repl.Set(authenticatedUser, session.UserID(user))
	case ours:
		repl.Delete(authenticatedUser)
	}
	return nil
}

// Interface guard
var _ Part = Authenticate{}
