package caddymodule

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// stream is a response that ends with its session: a WebSocket or an event stream.
type stream struct {
	// stop ends the watch of the session. It is nil if there is none.
	stop func()

	// cancel cancels the request, if prepare has made it one that can be cancelled.
	cancel context.CancelFunc

	// mu keeps the response valid while it is being ended: its handler waits.
	mu    sync.Mutex
	ended bool
	left  bool     // the handler has returned
	conn  net.Conn // the connection, in HTTP/1.1 and if the handler has taken it over
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

// connKey is the key of the connection in the context of a request.
type connKey struct{}

// provisionStreams lets the server of the handler tell the connection of a request.
func (h *Handler) provisionStreams(ctx caddy.Context) {
	h.endsStreams = h.Streams != streamsKeep && h.storeName != "none" // which has no sessions to end
	if server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server); ok && h.endsStreams {
		server.RegisterConnContext(func(ctx context.Context, conn net.Conn) context.Context {
			if ctx.Value(connKey{}) != nil {
				return ctx // another handler's
			}
			return context.WithValue(ctx, connKey{}, conn)
		})
	}
}

// prepare makes a request one that can be cancelled, where nothing else may stop a handler that
// waits for the app: over HTTP/3, and in HTTP/1.1 after a client that has sent more than its
// request. Browsers ask for event streams by this Accept. The request stays the same variable,
// because Caddy's placeholders refer to it.
func (s *stream) prepare(x *exchange) {
	if !x.h.endsStreams || x.r.ProtoMajor != 3 && x.r.Header.Get("Accept") != "text/event-stream" {
		return
	}
	ctx, cancel := context.WithCancel(x.r.Context())
	s.cancel = cancel
	*x.r = *x.r.WithContext(ctx)
}

// begin ends the response of x as soon as its session is over.
func (s *stream) begin(x *exchange) {
	if x.r.ProtoMajor == 1 {
		s.conn, _ = x.r.Context().Value(connKey{}).(net.Conn)
	}
	w := innermost(x.ResponseWriter)
	s.stop = x.h.keeper.Watch(&x.Visit, func() { s.end(w) })
}

// innermost returns the server's own response writer. The deadlines of the writers around it are
// for the handler's goroutine alone.
func innermost(w http.ResponseWriter) http.ResponseWriter {
	for {
		wrapper, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return w
		}
		w = wrapper.Unwrap()
	}
}

// over reports whether the stream has been ended. Its handler may write no more.
func (s *stream) over() bool {
	if s.stop == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended
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
//   - In HTTP/1.1, the connection is closed. The server, which reads ahead from the client, then
//     cancels the request, so that reverse_proxy gives up.
//   - In HTTP/2, a write deadline in the past resets the stream and cancels the request.
//   - In HTTP/3, it lets a write that waits fail. The request is cancelled here.
//
// Where the handler goes on, its next write fails.
func (s *stream) end(w http.ResponseWriter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left || s.ended {
		return
	}
	s.ended = true
	if s.conn != nil {
		_ = s.conn.Close()
	} else {
		control, past := http.NewResponseController(w), time.Unix(1, 0)
		_, _ = control.SetWriteDeadline(past), control.SetReadDeadline(past)
	}
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
