package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
	"sync"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

func init() {
	caddy.RegisterModule(new(Least))
	httpcaddyfile.RegisterHandlerDirective("bench_least", func(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
		h.Next() // consume the directive's name
		least := new(Least)
		if !h.AllArgs(&least.Data) {
			return nil, h.ArgErr()
		}
		return least, nil
	})
	httpcaddyfile.RegisterDirectiveOrder("bench_least", httpcaddyfile.Before, "basic_auth")
}

// Least is a handler that does only what every session handler must do: bench_least <data>. It
// removes headers that a client has forged, takes the cookie, computes its signature, looks the
// session up in a map, tells the backend, and looks through the head of the response. It has no
// timeouts, options, metrics or errors. Its cost is the least that a session can cost.
type Least struct {
	// Data is what every session holds.
	Data string `json:"data,omitempty"`

	mu       sync.RWMutex
	sessions map[string]string
}

// CaddyModule returns the Caddy module information.
func (*Least) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.bench_least", New: func() caddy.Module { return new(Least) }}
}

// info is as long as the real one.
const info = `exists, ref="47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU", created=@1795318769, expires=@1795405169`

var key = []byte("a key of as many bytes as ours: 32")

func (l *Least) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	removeOurs(r.Header)
	other, value, found := strings.Cut(r.Header.Get("Cookie"), "; caddy_session=")
	if found {
		id, signature, _ := strings.Cut(value, ".")
		verify(id, signature)
		r.Header["Cookie"] = []string{other}
		r.Header["X-Session-Data"] = []string{l.lookUp(id)}
		r.Header["X-Session-Info"] = []string{info}
	}
	return next.ServeHTTP(&headWatcher{ResponseWriterWrapper: caddyhttp.ResponseWriterWrapper{ResponseWriter: w}}, r)
}

// verify only computes the signature: the cookie is the backend's, which has no key.
func verify(id, signature string) bool {
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write([]byte(id))
	return hmac.Equal(base64.RawURLEncoding.AppendEncode(nil, mac.Sum(nil)), []byte(signature))
}

// lookUp finds a session, or adds it.
func (l *Least) lookUp(id string) string {
	l.mu.RLock()
	data, found := l.sessions[id]
	l.mu.RUnlock()
	if found {
		return data
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sessions == nil {
		l.sessions = make(map[string]string)
	}
	l.sessions[id] = l.Data
	return l.Data
}

func removeOurs(h http.Header) {
	for name := range h {
		if strings.HasPrefix(name, "X-Session-") {
			delete(h, name)
		}
	}
}

// headWatcher sees the head of the response before the client.
type headWatcher struct {
	caddyhttp.ResponseWriterWrapper
	begun bool
}

func (w *headWatcher) WriteHeader(status int) {
	w.begin()
	w.ResponseWriter.WriteHeader(status)
}

func (w *headWatcher) Write(p []byte) (int, error) {
	w.begin()
	return w.ResponseWriter.Write(p)
}

func (w *headWatcher) begin() {
	if w.begun {
		return
	}
	w.begun = true
	removeOurs(w.Header())
	w.Header()["Vary"] = []string{"Cookie"}
}

// Interface guard
var _ caddyhttp.MiddlewareHandler = (*Least)(nil)
