package caddymodule

import (
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-session/caddy-session/internal/failure"
)

// fail ends the request of the exchange with an error of ours.
func (x *exchange) fail(status int, err error) error {
	x.failure = caddyhttp.Error(status, err)
	return failure.Answer(x.ResponseWriter, x.r, status, x.failure)
}

// statusClientClosed is what Caddy uses for a client that hung up.
const statusClientClosed = 499
