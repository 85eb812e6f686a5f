package caddymodule

import (
	"errors"
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/caddy-session/caddy-session/caddymodule/parts"
	"github.com/caddy-session/caddy-session/internal/wire"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// fit leaves out what the backend would refuse the request for, so that it still sees one and can end the session. The data go
// first, as an app whose cookies are in the vault may not even read them.
func (x *exchange) fit() error {
	limit := x.h.MaxHeaders
	if limit == 0 || !x.Session.Exists() || x.forwarded.Size() <= limit {
		return nil
	}
	for x.forwarded.Size() > limit && x.view.Omits < parts.OmitInject {
		x.view.Omits++
		x.forwarded.Undo()
		if err := x.forwardParts(); err != nil {
			return err
		}
	}
	x.h.outages.Warn("the session's headers are more than max_headers; the request goes on without the data",
		zap.String("ref", x.Session.Ref()), zap.Int("max_headers", limit))
	return nil
}

// longHeaders is from which size on our headers may be why a backend refuses a request: the smallest limit of a server in
// use is 4096 bytes, of which browsers fill a part.
const longHeaders = 2 << 10

// tooLong logs that a backend may have refused a request because of the length that we have given it.
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
	x.h.outages.Warn("the backend has refused a request, perhaps because its headers are too long; see max_headers",
		zap.String("ref", x.Session.Ref()), zap.Int("status", status), zap.Int("session_headers", ours), zap.Int("all_headers", all))
}

// statusOf returns the status of a handler's error.
func statusOf(err error) int {
	var failure caddyhttp.HandlerError
	if errors.As(err, &failure) {
		return failure.StatusCode
	}
	return 0
}

// headerLimit is what gunicorn, Apache and Tomcat take of one header, or of all.
const headerLimit = 8190

// warnOfLength says at the start which session would be refused by most servers.
func (h *Handler) warnOfLength() {
	size := h.MaxSize
	if size == 0 {
		size = sessionstore.DefaultMaxSize
	}
	longest := 0
	if parts.Forwards(h.Forward) {
		longest = wire.Size(h.names.data, []string{""}) + size
	}
	if longest > 0 && h.Encoding == encodingBase64 || h.adoptedCookie != "" {
		longest = (size+2)/3*4 + len(h.names.data) + len(h.adoptedCookie) + cookieOverhead
	}
	if longest > headerLimit && h.MaxHeaders == 0 {
		h.logger.Warn("sessions of max_size make a header that many servers refuse (8190 bytes in gunicorn and Apache, 8192 in Tomcat): raise the server's limit, or set max_headers",
			zap.Int("max_size", size), zap.Int("longest_header", longest))
	}
}

// cookieOverhead is what signatures, times and names add to the data in an app's cookie.
const cookieOverhead = 100
