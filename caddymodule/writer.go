package caddymodule

import (
	"bufio"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"

	"github.com/quic-go/quic-go/http3"
)

// errRefused is what a handler gets that goes on writing a response which is not forwarded.
var errRefused error = quietError{errors.New("the session change was refused")}

// quietError is an error of writing to the client.
type quietError struct{ error }

func (e quietError) Unwrap() error { return e.error }

// As makes the error pass for that of a client which has cancelled its request. reverse_proxy
// logs others as warnings, with all headers of the request: with the session's data.
func (quietError) As(target any) bool {
	cancelled, ok := target.(**http3.Error)
	if ok {
		*cancelled = &http3.Error{Remote: true, ErrorCode: http3.ErrCodeRequestCanceled}
	}
	return ok
}

// start is called by everything that sends the head of a response.
func (x *exchange) start(status int) error {
	x.commit(status)
	if x.progress == refused {
		return errRefused
	}
	return nil
}

// WriteHeader implements [http.ResponseWriter]. A 1xx response is not the one that
// counts, 101 excepted: it passes without our headers, and without a commit.
func (x *exchange) WriteHeader(status int) {
	if status >= 100 && status < 200 && status != http.StatusSwitchingProtocols {
		if x.progress != refused {
			x.stripHead("a session header in a 1xx response is ignored")
			x.ResponseWriter.WriteHeader(status)
		}
		return
	}
	if x.start(status) == nil {
		x.ResponseWriter.WriteHeader(status)
	}
}

// Write implements [http.ResponseWriter]. It leaves the implicit WriteHeader(200) to the
// server, which sniffs the content type then.
func (x *exchange) Write(p []byte) (int, error) {
	if err := x.start(http.StatusOK); err != nil {
		return 0, err
	}
	n, err := x.ResponseWriter.Write(p)
	if err != nil {
		err = quietError{err}
	}
	return n, err
}

// ReadFrom implements [io.ReaderFrom], so that files still go out by sendfile.
func (x *exchange) ReadFrom(r io.Reader) (int64, error) {
	if err := x.start(http.StatusOK); err != nil {
		return 0, err
	}
	return x.ResponseWriterWrapper.ReadFrom(r)
}

// FlushError is what [http.ResponseController] calls: a flush sends the head if nothing has yet.
func (x *exchange) FlushError() error {
	if err := x.start(http.StatusOK); err != nil {
		return err
	}
	return http.NewResponseController(x.ResponseWriter).Flush()
}

// Hijack implements [http.Hijacker]. Whoever takes the connection without writing a
// head can still change the session, but no cookie goes out.
func (x *exchange) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if err := x.start(http.StatusSwitchingProtocols); err != nil {
		return nil, nil, err
	}
	return http.NewResponseController(x.ResponseWriter).Hijack()
}

// stripHead removes our headers, and cookies in our cookie's name or of the session, from a response that is not
// committed.
func (x *exchange) stripHead(message string) {
	h := x.Header()
	for name, values := range h {
		switch {
		case x.ours(name):
			delete(h, name)
			x.h.logger.Warn(message)
		case strings.EqualFold(name, "Set-Cookie"):
			x.takeForeign(h, name, values, new(collected))
			x.ignoreCookies(h, name)
		}
	}
}

// stripTrailers removes our headers from the trailers, which are in the header map
// once the body is through, whether they were announced or not.
func (x *exchange) stripTrailers() {
	h := x.Header()
	if x.progress != committed {
		return
	}
	for name := range h {
		trailer, isTrailer := strings.CutPrefix(name, http.TrailerPrefix)
		if x.ours(trailer) || isTrailer && x.notInTrailers(trailer) {
			delete(h, name)
			x.h.logger.Warn("a session header or a cookie in the trailers is ignored")
		}
	}
}

// headerSnapshot remembers the headers that a response has before the backend adds its own.
type headerSnapshot struct {
	server, altSvc []string // what Caddy sets: mostly there is nothing else
	all            http.Header
}

// take asks for the two names, since going through a map costs several times that.
func (s *headerSnapshot) take(h http.Header) {
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
	_ http.ResponseWriter                       = (*exchange)(nil)
	_ http.Hijacker                             = (*exchange)(nil)
	_ io.ReaderFrom                             = (*exchange)(nil)
	_ interface{ FlushError() error }           = (*exchange)(nil)
	_ interface{ Unwrap() http.ResponseWriter } = (*exchange)(nil)
)
