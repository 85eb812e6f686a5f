package caddymodule

import (
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-session/caddy-session/sessionstore/vault"
)

// Clean removes headers from requests however they are spelled, so that no client can
// forge what a session handler tells the backend. The Caddyfile puts it in
// front of a session directive with a matcher, for the requests that do not match; the
// handler itself cleans those that it sees.
type Clean struct {
	// The names of the headers
	Headers []string `json:"headers,omitempty"`

	// The names of cookies to remove, as in the session handler's vault
	Vault []string `json:"vault,omitempty"`

	// The names of the session's own cookie, which vault never means
	Cookies []string `json:"cookies,omitempty"`

	names nameSet
	vault vault.Patterns
}

// CaddyModule returns the Caddy module information.
func (*Clean) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.session_clean", New: func() caddy.Module { return new(Clean) }}
}

// Provision implements [caddy.Provisioner].
func (c *Clean) Provision(caddy.Context) error {
	if len(c.Headers) == 0 {
		return errors.New("session_clean: headers: name the headers to remove")
	}
	c.names = guard(c.Headers)
	var err error
	if c.vault, err = vault.NewPatterns(c.Vault, c.Cookies...); err != nil {
		return fmt.Errorf("session_clean: vault: %w", err)
	}
	return nil
}

func (c *Clean) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if isVirtual(r) {
		c.keepAside(r)
	}
	clean(r, &c.names, latest(r))
	disown(r, &c.vault, latest(r))
	return next.ServeHTTP(w, r)
}

// asideVar is the request variable with what a sub-request of templates has of its outer
// request's session headers: the session handler behind may need them, see included.
const asideVar = "\x00session_aside"

func (c *Clean) keepAside(r *http.Request) {
	aside, ok := caddyhttp.GetVar(r.Context(), asideVar).(http.Header)
	if !ok {
		aside = make(http.Header)
	}
	for name, values := range r.Header {
		if c.names.find(name).means == dataHeader {
			aside[name] = values
		}
	}
	caddyhttp.SetVar(r.Context(), asideVar, aside)
}

// guard makes the set that clean takes.
func guard(headers []string) nameSet {
	var set nameSet
	for _, name := range headers {
		set.add(name, dataHeader, 0)
	}
	set.add("Connection", connectionHeader, 0)
	set.add("Cookie", cookieHeader, 0)
	return set
}

// clean removes the guarded names from the request: as headers, as trailers, and as
// tokens of Connection, by which a client could have a proxy remove what we set. Names that a
// handler of outer guards are its own by now: it has cleaned them before it set them.
func clean(r *http.Request, guarded *nameSet, outer *exchange) {
	for name, values := range r.Header {
		switch guarded.find(name).means {
		case none, cookieHeader:
		case connectionHeader:
			if kept, removed := removeTokens(values, guarded.forgeable); removed {
				r.Header[name] = kept
			}
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

// guards reports whether a handler that is at work on this request guards the name.
func (x *exchange) guards(name string) bool {
	for ; x != nil; x = x.outer {
		if !x.ended && x.h.names.request.find(name).means == dataHeader {
			return true
		}
	}
	return false
}

// forgeable reports whether a token of Connection would have a proxy remove what we set, or the cookies.
func (s *nameSet) forgeable(token string) bool {
	means := s.find(token).means
	return means != none && means != connectionHeader
}

// trailerCleaner removes guarded names from the trailers. The server adds what
// came in when the body ends, whatever was announced.
type trailerCleaner struct {
	io.ReadCloser
	r       *http.Request
	guarded *nameSet
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
		switch t.guarded.find(name).means {
		case none, cookieHeader, connectionHeader:
		default:
			delete(t.r.Trailer, name)
		}
	}
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Clean)(nil)
	_ caddyhttp.MiddlewareHandler = (*Clean)(nil)
)
