package httpsession

import (
	"bufio"
	"net"
	"net/http"
)

// writer commits before the response begins. It hides methods of the response writer that could
// write without a commit.
type writer struct {
	http.ResponseWriter
	commit func() error
	begun  bool
	err    error
}

// begin commits once. After an error, the client has got its response, and nothing more may be
// written.
func (w *writer) begin() error {
	if !w.begun {
		w.begun = true
		w.err = w.commit()
	}
	return w.err
}

func (w *writer) WriteHeader(status int) {
	informational := status < 200 && status != http.StatusSwitchingProtocols
	if informational || w.begin() == nil {
		w.ResponseWriter.WriteHeader(status)
	}
}

func (w *writer) Write(b []byte) (int, error) {
	if err := w.begin(); err != nil {
		return 0, err
	}
	return w.ResponseWriter.Write(b)
}

// FlushError is what [http.ResponseController] calls.
func (w *writer) FlushError() error {
	if err := w.begin(); err != nil {
		return err
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Flush implements [http.Flusher].
func (w *writer) Flush() { _ = w.FlushError() }

// Hijack implements [http.Hijacker]. The handler must send the headers itself, the cookie among
// them. Where the server cannot give the connection away, as in HTTP/2, no response begins: the
// handler may answer in another way.
func (w *writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if !canHijack(w.ResponseWriter) {
		return nil, nil, http.ErrNotSupported
	}
	if err := w.begin(); err != nil {
		return nil, nil, err
	}
	return http.NewResponseController(w.ResponseWriter).Hijack()
}

// canHijack reports whether the server's own response writer can give the connection away.
func canHijack(w http.ResponseWriter) bool {
	for {
		wrapper, wraps := w.(interface{ Unwrap() http.ResponseWriter })
		if !wraps {
			_, able := w.(http.Hijacker)
			return able
		}
		w = wrapper.Unwrap()
	}
}

// Unwrap lets [http.ResponseController] find deadlines.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }
