package gate

import (
	"net/http"
	"strings"

	"github.com/caddy-session/caddy-session/caddymodule/internal/failure"
	"github.com/caddy-session/caddy-session/internal/wire"
)

// isNavigation reports whether a browser shows the response as a page. Browsers say so in
// Sec-Fetch-Mode, but not without TLS. Then a request is a navigation unless it shows that a script
// or a program has sent it.
func isNavigation(r *http.Request) bool {
	if mode := r.Header["Sec-Fetch-Mode"]; len(mode) > 0 {
		return mode[0] == "navigate"
	}
	return r.Header["X-Requested-With"] == nil && !isWebSocket(r) && (r.Header["Accept"] == nil || failure.AsksForHTML(r))
}

// isPreflight reports whether a request is a CORS preflight.
func isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header["Origin"] != nil && r.Header["Access-Control-Request-Method"] != nil
}

// isWebSocket reports whether a request is a WebSocket handshake, over HTTP/1.1, HTTP/2 or HTTP/3.
func isWebSocket(r *http.Request) bool {
	for _, line := range r.Header["Upgrade"] {
		if wire.AnyToken(line, func(token string) bool { return strings.EqualFold(token, "websocket") }) {
			return true
		}
	}
	return r.Method == http.MethodConnect && (r.Header.Get(":protocol") == "websocket" || r.Proto == "websocket")
}
