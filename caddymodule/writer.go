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
func (x *exchange) start() error {
	x.commit()
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
	if x.start() == nil {
		x.ResponseWriter.WriteHeader(status)
	}
}

// Write implements [http.ResponseWriter]. It leaves the implicit WriteHeader(200) to the
// server, which sniffs the content type then.
func (x *exchange) Write(p []byte) (int, error) {
	if err := x.start(); err != nil {
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
	if err := x.start(); err != nil {
		return 0, err
	}
	return x.ResponseWriterWrapper.ReadFrom(r)
}

// FlushError is what [http.ResponseController] calls: a flush sends the head if nothing has yet.
func (x *exchange) FlushError() error {
	if err := x.start(); err != nil {
		return err
	}
	return http.NewResponseController(x.ResponseWriter).Flush()
}

// Hijack implements [http.Hijacker]. Whoever takes the connection without writing a
// head can still change the session, but no cookie goes out.
func (x *exchange) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if err := x.start(); err != nil {
		return nil, nil, err
	}
	return http.NewResponseController(x.ResponseWriter).Hijack()
}

// stripHead removes our headers, and cookies in our cookie's name, from a response that is not
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
		if x.ours(strings.TrimPrefix(name, http.TrailerPrefix)) {
			delete(h, name)
			x.h.logger.Warn("a session header in the trailers is ignored")
		}
	}
}

// headerSnapshot remembers the few headers that a response has before the backend adds its own.
type headerSnapshot struct {
	few  [2]headerLine // Server and Alt-Svc
	n    int
	many http.Header
}

type headerLine struct {
	name   string
	values []string
}

func (s *headerSnapshot) take(h http.Header) {
	if len(h) > len(s.few) {
		s.many = maps.Clone(h)
		return
	}
	for name, values := range h {
		s.few[s.n] = headerLine{name, values}
		s.n++
	}
}

func (s *headerSnapshot) restore(h http.Header) {
	clear(h)
	maps.Copy(h, s.many)
	for _, line := range s.few[:s.n] {
		h[line.name] = line.values
	}
}

// Interface guards
var (
	_ http.ResponseWriter                       = (*exchange)(nil)
	_ http.Hijacker                             = (*exchange)(nil)
	_ io.ReaderFrom                             = (*exchange)(nil)
	_ interface{ FlushError() error }           = (*exchange)(nil)
	_ interface{ Unwrap() http.ResponseWriter } = (*exchange)(nil)
)
