// Package flask adds sessions shared with Flask apps to the handler. It has no code of its own:
// README.md says what is where.
package flask

import (
	// dialect flask and adopt flask
	_ "github.com/caddy-session/caddy-session/frameworks/flask/securecookie"

	// dialect flask_session
	_ "github.com/caddy-session/caddy-session/frameworks/flask/flasksession"
)
