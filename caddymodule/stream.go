package caddymodule

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// stream is a response that ends with its session: a WebSocket or an event stream.
type stream struct {
	// stop ends the watch of the session. It is nil if there is none.
	stop func()

	// cancel cancels the request, if it is one over HTTP/3.
	cancel context.CancelFunc

	// mu keeps the response valid while it is being ended: its handler waits.
	mu    sync.Mutex
	ended bool
	left  bool     // the handler has returned
	conn  net.Conn // the connection, if the handler has taken it over
}

// isStream reports whether a response that begins is a WebSocket or an event stream. Other long
// responses are downloads.
func (x *exchange) isStream(status int, h http.Header) bool {
	switch {
	case x.Virtual:
		return false
	case status == http.StatusSwitchingProtocols:
		return true
	case status < 200 || status > 299:
		return false
	case x.r.Method == http.MethodConnect: // extended CONNECT (RFC 8441, RFC 9220)
		return x.r.Header[":protocol"] != nil || x.r.ProtoMajor == 3 && !strings.HasPrefix(x.r.Proto, "HTTP/")
	default:
		kind, _, _ := strings.Cut(h.Get("Content-Type"), ";")
		return strings.EqualFold(strings.TrimSpace(kind), "text/event-stream")
	}
}

// prepare makes a request over HTTP/3 one that can be cancelled. There, nothing else stops a
// handler that waits for the app. The request stays the same variable, because Caddy's placeholders
// refer to it.
func (s *stream) prepare(x *exchange) {
	if x.r.ProtoMajor == 3 && x.h.endsStreams {
		ctx, cancel := context.WithCancel(x.r.Context())
		s.cancel = cancel
		*x.r = *x.r.WithContext(ctx)
	}
}

// begin ends the response of x as soon as its session is over.
func (s *stream) begin(x *exchange) {
	w := x.ResponseWriter
	s.stop = x.h.keeper.Watch(&x.Visit, func() { s.end(w) })
}

// leave says that the handler returns. From then on the connection may be used by another request.
func (s *stream) leave() {
	if s.stop == nil {
		return
	}
	s.stop()
	s.mu.Lock()
	s.left = true
	s.mu.Unlock()
}

// end closes the response, however its handler waits:
//
//   - In HTTP/1.1, the server reads ahead from the client. When that fails, it cancels the request,
//     so that reverse_proxy gives up. A connection that a handler has taken over is closed.
//   - In HTTP/2, a write deadline in the past resets the stream and cancels the request.
//   - In HTTP/3, it lets writes fail. The request is cancelled here.
func (s *stream) end(w http.ResponseWriter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left || s.ended {
		return
	}
	s.ended = true
	if s.conn != nil {
		_ = s.conn.Close()
		return
	}
	control, past := http.NewResponseController(w), time.Unix(1, 0)
	_, _ = control.SetWriteDeadline(past), control.SetReadDeadline(past)
	if s.cancel != nil {
		s.cancel()
	}
}

// Hijack implements [http.Hijacker].
func (x *exchange) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := x.headWriter.Hijack()
	if err != nil {
		return nil, nil, err
	}
	x.stream.mu.Lock()
	defer x.stream.mu.Unlock()
	if x.stream.conn = conn; x.stream.ended {
		_ = conn.Close()
	}
	return conn, buffered, nil
}
