package caddymodule

import (
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-session/caddy-session/caddymodule/internal/failure"
)

// fail refuses the request with an error.
func (x *exchange) fail(status int, err error) error {
	x.explain(x.ResponseWriter.Header())
	x.failure = caddyhttp.Error(status, err)
	return failure.Answer(x.ResponseWriter, x.r, status, x.failure)
}

// statusClientClosed is Caddy's status for a client that closed the connection.
const statusClientClosed = 499
