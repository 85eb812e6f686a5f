package caddymodule

import (
	"net/http"

	"github.com/caddy-session/caddy-session/internal/vault"
	"github.com/caddy-session/caddy-session/internal/wire"
)

// removeForgedCookies removes the cookies from the request that a client sends under names of the vault or of the app's session, which
// are the backend's alone, or under ours as only some servers read it. Those that a handler of outer has put there are
// none of the client's. For broken, see [vault.Patterns.Reader].
func removeForgedCookies(r *http.Request, patterns *vault.Patterns, outer *exchange, broken bool) {
	if r.Header["Cookie"] == nil {
		return
	}
	reader := patterns.Reader(broken)
	wire.RemoveCookies(r.Header, func(pair string) bool {
		return reader.Forges(pair) && !outer.removes(pair)
	})
}

// removes reports whether a handler that is at work on this request has taken what the client sent under the name of
// this cookie.
func (x *exchange) removes(pair string) bool {
	for ; x != nil; x = x.outer {
		if reader := x.h.appCookies.Reader(false); !x.ended && reader.Forges(pair) {
			return true
		}
	}
	return false
}
