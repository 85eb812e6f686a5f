package caddymodule

import (
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-session/caddy-session/caddymodule/internal/failure"
	"github.com/caddy-session/caddy-session/internal/config"
)

// fail refuses the request with an error.
func (x *exchange) fail(status int, err error) error {
	x.describe(x.ResponseWriter.Header())
	x.failure = caddyhttp.Error(status, err)
	return failure.Answer(x.ResponseWriter, x.r, status, x.failure)
}

// describe adds to the head of a response what it says of the session, besides the cookie. Error
// routes may show the session's data, so their responses vary too.
func (x *exchange) describe(h http.Header) {
	x.explain(h)
	if config.Or(x.h.Vary, true) {
		x.varyByCookie(h)
	}
}

// statusClientClosed is Caddy's status for a client that closed the connection.
const statusClientClosed = 499
