package caddymodule

import (
	"bufio"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/quic-go/quic-go/http3"
)

// errRefused is the error of writing to a response after its commit was refused.
var errRefused = quiet(errors.New("the session change was refused"))

// errOver is the error of writing to a stream whose session has ended.
var errOver = quiet(errors.New("the session of the stream has ended"))

// quiet disguises an error of writing to the client as a request that the client cancelled over
// HTTP/3. reverse_proxy logs all other errors as warnings with the request headers, which contain
// the session's data. No option and no other type of error prevents that.
func quiet(err error) error {
	return errors.Join(err, &http3.Error{Remote: true, ErrorCode: http3.ErrCodeRequestCanceled})
}

// headWriter is a response writer that reports when a response begins, in all ways in which it can
// begin.
type headWriter struct {
	caddyhttp.ResponseWriterWrapper
	of interface {
		// start is called before the head of the final response is sent. After an error, nothing is
		// sent.
		start(status int) error

		// interim is called before the head of a 1xx response. It reports whether to send it.
		interim() bool
	}
}

// WriteHeader implements [http.ResponseWriter]. A 1xx response is not the final one, except 101.
func (w *headWriter) WriteHeader(status int) {
	var send bool
	if status >= 100 && status < 200 && status != http.StatusSwitchingProtocols {
		send = w.of.interim()
	} else {
		send = w.of.start(status) == nil
	}
	if send {
		w.ResponseWriter.WriteHeader(status)
	}
}

// Write implements [http.ResponseWriter]. It leaves the implicit WriteHeader(200) to the server,
// which then detects the content type.
func (w *headWriter) Write(p []byte) (int, error) {
	if err := w.of.start(http.StatusOK); err != nil {
		return 0, err
	}
	return w.ResponseWriter.Write(p)
}

// ReadFrom implements [io.ReaderFrom], so that files still go out by sendfile.
func (w *headWriter) ReadFrom(r io.Reader) (int64, error) {
	if err := w.of.start(http.StatusOK); err != nil {
		return 0, err
	}
	return w.ResponseWriterWrapper.ReadFrom(r)
}

// FlushError is what [http.ResponseController] calls. A flush sends the head.
func (w *headWriter) FlushError() error {
	if err := w.of.start(http.StatusOK); err != nil {
		return err
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Hijack implements [http.Hijacker]. A handler that takes over the connection without writing a
// head can still change the session, but the client gets no cookie. Where the server cannot give
// the connection away, as in HTTP/2, no response begins: the handler may answer in another way.
func (w *headWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if _, able := innermost(w.ResponseWriter).(http.Hijacker); !able {
		return nil, nil, http.ErrNotSupported
	}
	if err := w.of.start(http.StatusSwitchingProtocols); err != nil {
		return nil, nil, err
	}
	return http.NewResponseController(w.ResponseWriter).Hijack()
}

func (x *exchange) start(status int) error {
	x.commit(status)
	if x.progress == refused {
		return errRefused
	}
	return nil
}

func (x *exchange) interim() bool {
	if x.progress == refused {
		return false
	}
	x.stripHead("a session header or a cookie in a 1xx response is ignored")
	return true
}

// Write implements [http.ResponseWriter]. It returns quiet errors.
func (x *exchange) Write(p []byte) (int, error) {
	if x.stream.over() {
		return 0, errOver
	}
	n, err := x.headWriter.Write(p)
	if err != nil && err != errRefused {
		err = quiet(err)
	}
	return n, err
}

// stripHead removes session headers, session cookies and the cookies of parts from a response that
// is not committed. A response of the error routes would get its trailers too.
func (x *exchange) stripHead(message string) {
	h, names := x.Header(), &x.h.names.response
	if found := names.strip(h, x.h.cookie.Names); names.stripTrailers(h) || found {
		x.h.logger.Warn(message)
	}
	for name := range h {
		if strings.EqualFold(name, "Set-Cookie") {
			if x.takePartCookies(h, name, nil) {
				x.h.logger.Warn("a cookie for vault or adopt is ignored: it was not in the head of a final response")
			}
		}
	}
}

// stripTrailers removes session headers and cookies from the trailers, after the body.
func (x *exchange) stripTrailers() {
	if x.progress != committed {
		return
	}
	defer x.hideExplained()()
	if x.h.names.response.stripTrailers(x.Header()) {
		x.h.logger.Warn("a session header or a cookie in the trailers is ignored")
	}
}

// headerSnapshot is a copy of the response headers before the app adds its own.
type headerSnapshot struct {
	server, altSvc []string // usually the only ones
	all            http.Header
}

// save looks up the two names first: a copy of the map would take two allocations more, which
// TestAnonymousRequestsAreCheap does not allow. It saves no time that can be measured.
func (s *headerSnapshot) save(h http.Header) {
	s.server, s.altSvc = h["Server"], h["Alt-Svc"]
	known := 0
	if s.server != nil {
		known++
	}
	if s.altSvc != nil {
		known++
	}
	if known < len(h) {
		s.all = maps.Clone(h)
	}
}

func (s *headerSnapshot) restore(h http.Header) {
	clear(h)
	if s.server != nil {
		h["Server"] = s.server
	}
	if s.altSvc != nil {
		h["Alt-Svc"] = s.altSvc
	}
	maps.Copy(h, s.all)
}

// Interface guards
var (
	_ http.ResponseWriter                       = (*headWriter)(nil)
	_ http.Hijacker                             = (*headWriter)(nil)
	_ io.ReaderFrom                             = (*headWriter)(nil)
	_ interface{ FlushError() error }           = (*headWriter)(nil)
	_ interface{ Unwrap() http.ResponseWriter } = (*headWriter)(nil)
)
