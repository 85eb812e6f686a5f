package caddymodule

import (
	"errors"
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// withheld says what a request goes on without, since its headers of ours are more than max_headers.
type withheld uint8

const (
	nothingWithheld withheld = iota
	dataWithheld             // in whichever form: X-Session-Data and X-Session-Flash, and the cookie of adopt
	cookiesWithheld          // those of the vault, too
	allWithheld              // and the headers of inject
)

const infoTooLarge = ", too-large"

// fit leaves out what the backend would refuse the request for, so that it still sees one and can end the session. The data go
// first, as an app whose cookies are in the vault may not even read them, and half of anything is never sent.
func (x *exchange) fit() {
	limit := x.h.MaxHeaders
	if limit == 0 || !x.Session.Exists() || x.headersSize() <= limit {
		return
	}
	h, names := x.r.Header, &x.h.names
	h[names.data] = x.line(0, x.h.encode(emptyData))
	h[names.info] = x.line(1, info(x.Session)+infoTooLarge)
	delete(h, names.flash)
	x.withheld = dataWithheld
	for x.addCookies(); x.headersSize() > limit && x.withheld < allWithheld; x.addCookies() {
		x.withheld++
		if x.withheld == allWithheld {
			for _, i := range x.h.inject {
				delete(h, i.header)
			}
		}
	}
	x.h.outages.Warn("the session's headers are more than max_headers; the request goes on without the data",
		zap.String("ref", x.Session.Ref()), zap.Int("max_headers", limit))
}

// headersSize is how many bytes of the request are our headers.
func (x *exchange) headersSize() (size int) {
	h, names := x.r.Header, &x.h.names
	for _, name := range []string{names.data, names.info, names.flash} {
		size += lineSize(name, h[name])
	}
	for _, i := range x.h.inject {
		size += lineSize(i.header, h[i.header])
	}
	if x.added != "" {
		size += lineSize("Cookie", []string{x.added})
	}
	return size
}

func lineSize(name string, values []string) (size int) {
	for _, value := range values {
		size += len(name) + len(": ") + len(value) + len("\r\n")
	}
	return size
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
	ours := x.headersSize()
	if ours < longHeaders {
		return
	}
	all := 0
	for name, values := range x.r.Header {
		all += lineSize(name, values)
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
	if h.forwardAll || len(h.forward) > 0 {
		longest = lineSize(h.names.data, []string{""}) + size
	}
	if longest > 0 && h.base64 || h.adopted.cookie != "" {
		longest = (size+2)/3*4 + len(h.names.data) + len(h.adopted.cookie) + cookieOverhead
	}
	if longest > headerLimit && h.MaxHeaders == 0 {
		h.logger.Warn("sessions of max_size make a header that many servers refuse (8190 bytes in gunicorn and Apache, 8192 in Tomcat): raise the server's limit, or set max_headers",
			zap.Int("max_size", size), zap.Int("longest_header", longest))
	}
}

// cookieOverhead is what signatures, times and names add to the data in an app's cookie.
const cookieOverhead = 100
