package caddymodule

import (
	"net/http"

	"github.com/caddy-session/caddy-session/internal/vault"
	"github.com/caddy-session/caddy-session/internal/wire"
)

// removeForgedCookies removes cookies from the request that the client sent under names of the
// vault or of the app's session, which only the app may set, or under a name that only some servers
// read as the session cookie's. Cookies that a session handler before this one has added stay. For
// broken, see [vault.Patterns.Reader].
func removeForgedCookies(r *http.Request, patterns *vault.Patterns, outer *exchange, broken bool) {
	if r.Header["Cookie"] == nil {
		return
	}
	reader := patterns.Reader(broken)
	wire.RemoveCookies(r.Header, func(pair string) bool {
		return reader.Forges(pair) && !outer.removes(pair)
	})
}

// removes reports whether this session handler, or one before it, has removed the client's cookies
// of this name. Then this cookie is its own.
func (x *exchange) removes(pair string) bool {
	for ; x != nil; x = x.outer {
		if reader := x.h.appCookies.Reader(false); !x.ended && reader.Forges(pair) {
			return true
		}
	}
	return false
}
