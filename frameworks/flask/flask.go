// Package flask has the handler share the sessions of Flask apps. It holds no code: the README says
// what is where.
package flask

import (
	// dialect flask and adopt flask
	_ "github.com/caddy-session/caddy-session/frameworks/flask/securecookie"

	// dialect flask_session
	_ "github.com/caddy-session/caddy-session/frameworks/flask/flasksession"
)
