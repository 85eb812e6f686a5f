package caddymodule

import (
	"cmp"
	"errors"
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/caddy-session/caddy-session/caddymodule/parts"
	"github.com/caddy-session/caddy-session/internal/wire"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// fit omits what makes the request longer than max_headers, so that the app accepts the request and
// the user can log out. It omits the data first, because an app with cookies in the vault may not
// even read them.
func (x *exchange) fit() error {
	limit := x.h.MaxHeaders
	if limit == 0 || !x.Session.Exists() || x.forwarded.Size() <= limit {
		return nil
	}
	if err := x.shrink(); err != nil {
		return x.notForwarded(err)
	}
	x.h.outages.Warn("the session's headers are longer than max_headers; the app gets the request without the data",
		zap.String("ref", x.Session.Ref()), zap.Int("max_headers", limit))
	return nil
}

// shrink omits one thing after the other until the rest is within max_headers.
func (x *exchange) shrink() error {
	limit := x.h.MaxHeaders
	for limit > 0 && x.forwarded.Size() > limit && x.view.Omits < parts.OmitInject {
		x.view.Omits++
		x.forwarded.Undo()
		if err := x.forwardParts(); err != nil {
			return err
		}
	}
	return nil
}

// longHeaders is the smallest size of the session's headers, in bytes, that is reported as the
// likely reason for an error of the app. The smallest limit of a common server is 4096 bytes, and
// browsers use part of it.
const longHeaders = 2 << 10

// tooLong logs that the app may have refused the request because the session's headers are too
// long.
func (x *exchange) tooLong(status int) {
	switch status {
	case http.StatusBadRequest, http.StatusRequestHeaderFieldsTooLarge, http.StatusBadGateway:
	default:
		return
	}
	ours := x.forwarded.Size()
	if ours < longHeaders {
		return
	}
	all := 0
	for name, values := range x.r.Header {
		all += wire.Size(name, values)
	}
	x.h.remember(correctApp, "the app refused a request with the status %d, perhaps because its headers are too long (%d bytes, %d of them the session's); see max_headers", status, all, ours)
	x.h.outages.Warn("the app refused a request, perhaps because its headers are too long; see max_headers",
		zap.String("ref", x.Session.Ref()), zap.Int("status", status), zap.Int("session_headers", ours), zap.Int("all_headers", all))
}

// statusOf returns the status of a handler's error.
func statusOf(err error) int {
	if failure, ok := errors.AsType[caddyhttp.HandlerError](err); ok {
		return failure.StatusCode
	}
	return 0
}

// headerLimit is the usual limit of servers, in bytes: of gunicorn for one header, of Apache for
// one header line, of Tomcat for all headers (8192).
const headerLimit = 8190

// longest returns the length of the longest header that max_size, which is size, allows.
func (h *Handler) longest() (longest, size int) {
	size = cmp.Or(h.MaxSize, sessionstore.DefaultMaxSize)
	if parts.Forwards(h.Forward) {
		longest = wire.Size(h.names.data, []string{""}) + size
	}
	if longest > 0 && h.Encoding == encodingBase64 || h.adoptedCookie != "" {
		longest = (size+2)/3*4 + len(h.names.data) + len(h.adoptedCookie) + cookieOverhead
	}
	return longest, size
}

// warnOfLength warns at the start if max_size allows sessions that most servers refuse.
func (h *Handler) warnOfLength() {
	if longest, size := h.longest(); longest > headerLimit && h.MaxHeaders == 0 {
		h.logger.Warn("max_size allows headers that many servers refuse (limit 8190 bytes in gunicorn and Apache, 8192 in Tomcat): raise the server's limit, or set max_headers",
			zap.Int("max_size", size), zap.Int("longest_header", longest))
	}
}

// cookieOverhead is what signature, time and name add to the data in an app's cookie, in bytes.
const cookieOverhead = 100
