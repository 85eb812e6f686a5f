package caddymodule

import (
	"errors"
	"net/http"
)

var errEarly = errors.New("the request came in TLS early data, which an attacker can replay")

// early reports whether a request came in TLS early data: directly, as HTTP/3 allows, or through a
// proxy that sent Early-Data with any value (RFC 8470, section 5.1). The proxy need not be a
// trusted one: a client that sends the header only harms itself.
func early(r *http.Request) bool {
	return r.TLS != nil && !r.TLS.HandshakeComplete || r.Header["Early-Data"] != nil
}

// safe reports whether a method is safe (RFC 9110, section 9.2.1).
func safe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}
