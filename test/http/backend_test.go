package http_test

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/fcgi"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/caddy-session/caddy-session/test/harness"
)

// handlerHeader names the handler for a request: see browser.via.
const handlerHeader = "Test-Handler"

var (
	handlers  sync.Map
	lastToken atomic.Int64
)

// register adds a handler to the backends and returns its token.
func register(t *testing.T, h any) string {
	token := strconv.FormatInt(lastToken.Add(1), 10)
	handlers.Store(token, h)
	t.Cleanup(func() { handlers.Delete(token) })
	return token
}

// dispatch is the handler of the backends.
func dispatch(w http.ResponseWriter, r *http.Request) {
	if h, ok := handlers.Load(r.Header.Get(handlerHeader)); ok {
		h.(http.HandlerFunc)(w, r)
		return
	}
	echo(w, r)
}

// backend is the address of an HTTP backend.
var backend = sync.OnceValue(func() string { return harness.Backend(shared, dispatch) })

// fcgiBackend is the address of the same backend with FastCGI.
var fcgiBackend = sync.OnceValue(func() string {
	l := listen()
	go func() { _ = fcgi.Serve(l, http.HandlerFunc(dispatch)) }()
	return l.Addr().String()
})

func listen() net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		shared.Fatal(err)
	}
	shared.Cleanup(func() { _ = l.Close() })
	return l
}

// request is the request in the view of the backend.
type request struct {
	Method, Path, Host, Body string
	Header, Trailer          http.Header
}

// short are short names of common headers.
var short = map[string]string{
	"update": "X-Session-Update", "flash": "X-Session-Flash", "control": "X-Session-Control",
}

// echo responds with the headers and the status in the query, and describes the request in the
// body.
func echo(w http.ResponseWriter, r *http.Request) {
	status := answer(w.Header(), r)
	body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if status == http.StatusNoContent || status == http.StatusNotModified {
		return
	}
	_ = json.NewEncoder(w).Encode(request{
		Method: r.Method, Path: r.URL.Path, Host: r.Host, Body: string(body), Header: r.Header, Trailer: r.Trailer,
	})
}

// answer sets the headers in the query and returns the status.
func answer(h http.Header, r *http.Request) int {
	status := http.StatusOK
	for name, values := range r.URL.Query() {
		if name == "status" {
			status, _ = strconv.Atoi(values[0])
			continue
		}
		if long, ok := short[name]; ok {
			name = long
		}
		h[http.CanonicalHeaderKey(name)] = values
	}
	return status
}

// ask returns the path of a request to which echo responds with these headers.
func ask(path string, pairs ...string) string {
	query := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		query.Add(pairs[i], pairs[i+1])
	}
	if strings.Contains(path, "?") {
		return path + "&" + query.Encode()
	}
	return path + "?" + query.Encode()
}

// rawBackend is the address of a backend that sends raw bytes: its handlers are of type rawHandler.
var rawBackend = sync.OnceValue(func() string {
	l := listen()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go serveRaw(conn)
		}
	}()
	return l.Addr().String()
})

// rawHandler answers a request on its connection.
type rawHandler func(conn net.Conn, r *http.Request)
