package caddymodule

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/caddy-session/caddy-session/caddymodule/cookie"
	"github.com/caddy-session/caddy-session/caddymodule/internal/failure"
	"github.com/caddy-session/caddy-session/internal/vault"
	"github.com/caddy-session/caddy-session/internal/wire"
)

// Clean removes session headers from requests, in every spelling, so that no client can forge what
// a session handler tells the app. It hides the session cookie from the app, and removes from
// responses what is meant for the session handler. The Caddyfile puts it in front of a session
// directive with a matcher, for the requests that do not match. The session handler itself cleans
// all other requests.
type Clean struct {
	// The names of the request headers to remove. The first one is that of the session's data.
	// Required
	Headers []string `json:"headers,omitempty"`

	// The names of the response headers to remove. Default: none
	ResponseHeaders []string `json:"response_headers,omitempty"`

	// The names of cookies to remove from requests, as in the option vault of the session handler.
	// Default: none
	Vault []string `json:"vault,omitempty"`

	// The names of the session cookie. Only a session handler behind this handler gets it. Default:
	// none
	Cookies []string `json:"cookies,omitempty"`

	// Whether the app gets the session cookie too, and may set it. Default: false
	PassThrough bool `json:"pass_through,omitempty"`

	logger *zap.Logger
	warned sync.Once

	names    wire.Names
	response responseNames
	own      cookie.Names
	vault    vault.Patterns
}

// clean returns the handler for requests that the matcher leaves out.
func (h *Handler) clean() *Clean {
	c := &Clean{
		Headers: h.names.guarded(h.Inject), ResponseHeaders: h.names.withheld(h.Capture), Cookies: h.Cookie.NamesIn(h.Name),
		Vault: appCookieNames(h.Vault, h.adoptedCookie), PassThrough: h.sharedCookie != "",
	}
	if h.Cookie != nil && h.Cookie.PassThrough != "" {
		c.PassThrough = h.Cookie.PassThrough == cookie.PassOn
	}
	if h.sharedCookie != "" && (h.Cookie == nil || h.Cookie.Name == "") {
		c.Cookies = []string{h.sharedCookie}
	}
	return c
}

// CaddyModule returns the Caddy module information.
func (*Clean) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.session_clean", New: func() caddy.Module { return new(Clean) }}
}

// Provision implements [caddy.Provisioner].
func (c *Clean) Provision(ctx caddy.Context) error {
	c.logger = ctx.Logger()
	if len(c.Headers) == 0 {
		return errors.New("session_clean: headers: name the headers to remove")
	}
	c.names = guard(c.Headers)
	c.response = newResponseNames()
	for _, name := range c.ResponseHeaders {
		c.response.Add(name, ours)
	}
	if !c.PassThrough {
		c.own = c.Cookies
	}
	var err error
	if c.vault, err = vault.NewPatterns(c.Vault, cookie.Names(c.Cookies).All()...); err != nil {
		return fmt.Errorf("session_clean: vault: %w", err)
	}
	return nil
}

// ServeHTTP implements [caddyhttp.MiddlewareHandler].
func (c *Clean) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if isVirtual(r) {
		c.keepAside(r)
		borrow(r)
	}
	outer := latest(r)
	clean(r, &c.names, outer)
	removeForgedCookies(r, &c.vault, outer, false)
	setAside(r, c.own, outer)
	if err := refuseTrace(w, r); err != nil {
		return err
	}
	defer lend(r)()
	l := &unmatched{c: c, r: r, outer: outer}
	l.ResponseWriter, l.of = w, l
	err := next.ServeHTTP(l, r)
	l.end()
	if entry := c.logger.Check(zapcore.DebugLevel, "the matcher of session does not cover a request"); entry != nil && !l.covered() {
		entry.Write(zap.String("method", r.Method), zap.String("path", r.URL.Path), zap.String("session", strings.TrimSuffix(c.Headers[0], "Data")))
	}
	return err
}

// guard returns the set of names for [clean].
func guard(headers []string) wire.Names {
	var set wire.Names
	for _, name := range headers {
		set.Add(name, ours)
	}
	set.Add("Connection", connectionMark)
	set.Add("Upgrade", upgradeMark)
	set.Add("HTTP2-Settings", tunnelMark)
	set.Add("Cookie", cookieMark)
	return set
}

// The kinds of request headers in that set.
const (
	ours = 1 + iota
	connectionMark
	upgradeMark
	tunnelMark
	cookieMark
)

// clean removes the guarded names from the request: as headers, as trailers, and as tokens of
// Connection, with which a client could make a proxy remove the session headers. It keeps names
// that a session handler before this one guards, because that one has already cleaned them and set
// them itself. It also removes upgrades that would open a tunnel to the app: nothing inside a
// tunnel is cleaned.
func clean(r *http.Request, guarded *wire.Names, outer *exchange) {
	for name, values := range r.Header {
		switch guarded.Find(name) {
		case 0, cookieMark:
		case connectionMark:
			if kept, removed := wire.RemoveTokens(values, func(token string) bool { return forgeable(guarded, token) }); removed {
				wire.SetLines(r.Header, name, kept)
			}
		case upgradeMark:
			if kept, removed := wire.RemoveTokens(values, carriesHTTP); removed {
				wire.SetLines(r.Header, name, kept)
			}
		case tunnelMark:
			delete(r.Header, name)
		default:
			if !outer.guards(name) {
				delete(r.Header, name)
			}
		}
	}
	if r.Trailer != nil {
		trailers := &trailerCleaner{ReadCloser: r.Body, r: r, guarded: guarded}
		trailers.clean()
		if r.Body != nil {
			r.Body = trailers
		}
	}
}

// guards reports whether this session handler, or one before it, guards the name.
func (x *exchange) guards(name string) bool {
	for ; x != nil; x = x.outer {
		if !x.ended && x.h.names.request.Find(name) == ours {
			return true
		}
	}
	return false
}

// forgeable reports whether a token of Connection would make a proxy remove session headers or
// cookies.
func forgeable(guarded *wire.Names, token string) bool {
	switch guarded.Find(token) {
	case 0, connectionMark, upgradeMark:
		return false
	default:
		return true
	}
}

// carriesHTTP reports whether a token of Upgrade names a protocol that carries further HTTP
// requests, which would bypass this handler: HTTP/2 in clear text (RFC 7540, section 3.2; older
// servers also know its drafts, such as "h2c-14"), TLS (RFC 2817) or another version of HTTP.
func carriesHTTP(token string) bool {
	protocol, _, _ := strings.Cut(token, "/")
	protocol, _, _ = strings.Cut(protocol, "-")
	switch strings.ToLower(strings.TrimSpace(protocol)) {
	case "h2c", "h2", "tls", "http":
		return true
	default:
		return false
	}
}

// methods are the methods of RFC 9110 and RFC 5789, without TRACE and CONNECT.
const methods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"

// refuseTrace refuses TRACE. An app that supports it would show its request headers to the client,
// including the session and the vault. Some servers accept methods in any case.
func refuseTrace(w http.ResponseWriter, r *http.Request) error {
	if !strings.EqualFold(r.Method, http.MethodTrace) {
		return nil
	}
	w.Header().Set("Allow", methods) // RFC 9110, section 15.5.6
	return failure.Answer(w, r, http.StatusMethodNotAllowed, errTrace)
}

var errTrace = errors.New("TRACE would show the headers of the session to the client")

// trailerCleaner removes guarded names from the request's trailers. At the end of the body,
// net/http adds all trailers that came, even those that were not announced.
type trailerCleaner struct {
	io.ReadCloser
	r       *http.Request
	guarded *wire.Names
}

func (t *trailerCleaner) Read(p []byte) (int, error) {
	n, err := t.ReadCloser.Read(p)
	if err != nil {
		t.clean()
	}
	return n, err
}

func (t *trailerCleaner) clean() {
	for name := range t.r.Trailer {
		if t.guarded.Find(name) != 0 {
			delete(t.r.Trailer, name)
		}
	}
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Clean)(nil)
	_ caddyhttp.MiddlewareHandler = (*Clean)(nil)
)
