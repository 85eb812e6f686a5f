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

// errRefused is what a handler gets that goes on writing a response which is not forwarded.
var errRefused = quiet(errors.New("the session change was refused"))

// quiet makes an error of writing to the client pass for that of one which has cancelled its request. reverse_proxy logs
// all others as warnings with the headers of the request, the session's data among them, and no option or other type of
// error keeps it from that.
func quiet(err error) error {
	return errors.Join(err, &http3.Error{Remote: true, ErrorCode: http3.ErrCodeRequestCanceled})
}

// headWriter is a response writer that tells a handler when a response begins, in whichever way it does.
type headWriter struct {
	caddyhttp.ResponseWriterWrapper
	of interface {
		// start is called by everything that sends the head of the final response. After an error, nothing is sent.
		start(status int) error

		// interim is called before the head of a 1xx response, and reports whether that is sent.
		interim() bool
	}
}

// WriteHeader implements [http.ResponseWriter]. A 1xx response is not the one that counts, 101 excepted.
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

// Write implements [http.ResponseWriter]. It leaves the implicit WriteHeader(200) to the
// server, which sniffs the content type then.
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

// FlushError is what [http.ResponseController] calls: a flush sends the head if nothing has yet.
func (w *headWriter) FlushError() error {
	if err := w.of.start(http.StatusOK); err != nil {
		return err
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Hijack implements [http.Hijacker]. Whoever takes the connection without writing a
// head can still change the session, but no cookie goes out.
func (w *headWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
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

// Write implements [http.ResponseWriter], with errors that do no harm in logs.
func (x *exchange) Write(p []byte) (int, error) {
	n, err := x.headWriter.Write(p)
	if err != nil && err != errRefused {
		err = quiet(err)
	}
	return n, err
}

// stripHead removes our headers, and cookies in our cookie's name or of the session, from a response that is not
// committed.
func (x *exchange) stripHead(message string) {
	h := x.Header()
	if x.h.names.response.strip(h, x.h.cookie.Names) {
		x.h.logger.Warn(message)
	}
	for name := range h {
		if strings.EqualFold(name, "Set-Cookie") {
			if x.takePartCookies(h, name, nil) {
				x.h.logger.Warn("a cookie of the session is ignored: it was not in the head of a final response")
			}
		}
	}
}

// stripTrailers removes our headers from the trailers, once the body is through.
func (x *exchange) stripTrailers() {
	if x.progress == committed && x.h.names.response.stripTrailers(x.Header()) {
		x.h.logger.Warn("a session header or a cookie in the trailers is ignored")
	}
}

// headerSnapshot remembers the headers that a response has before the backend adds its own.
type headerSnapshot struct {
	server, altSvc []string // what Caddy sets: mostly there is nothing else
	all            http.Header
}

// save asks for the two names, since going through a map costs several times that.
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
