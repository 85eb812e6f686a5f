package caddymodule

import (
	"errors"
	"net/http"
)

var errEarly = errors.New("the request came in TLS early data, which anybody who saw it can send again")

// early reports whether a request came in TLS early data: to us, which only HTTP/3 has, or to a proxy before us that says
// so by whatever value (RFC 8470, section 5.1). That proxy need not be a trusted one: a client that claims it harms
// only itself.
func early(r *http.Request) bool {
	return r.TLS != nil && !r.TLS.HandshakeComplete || r.Header["Early-Data"] != nil
}

// safe reports whether a method asks for no change (RFC 9110, section 9.2.1).
func safe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}
