package caddymodule

import (
	"crypto/rand"
	"maps"
	"net/http"
	"slices"
	"sync"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-session/caddy-session/caddymodule/cookie"
	"github.com/caddy-session/caddy-session/internal/wire"
)

// unmatched is the response writer of session_clean. If no session handler is behind it, it removes
// the session headers and cookies from the response.
type unmatched struct {
	headWriter
	c *Clean
	r *http.Request

	// outer is the exchange of the last session handler before this one.
	outer *exchange
	begun bool
}

func (l *unmatched) start(int) error {
	if !l.begun {
		l.begun = true
		l.strip()
	}
	return nil
}

func (l *unmatched) interim() bool {
	l.strip()
	return true
}

// end cleans trailers, and the head of a response that has not begun, such as that of a failed
// request.
func (l *unmatched) end() {
	if !l.begun {
		for x := latest(l.r); x != l.outer; x = x.outer {
			defer x.hideExplained()()
		}
		l.strip()
	}
	if !l.taken() && l.c.response.stripTrailers(l.Header()) {
		l.warn()
	}
}

func (l *unmatched) strip() {
	if l.taken() {
		return
	}
	if l.c.response.strip(l.Header(), l.c.own) {
		l.warn()
	}
}

func (l *unmatched) warn() {
	l.c.warned.Do(func() {
		l.c.logger.Warn("session headers are ignored in a response that the matcher of session does not cover",
			nameField(l.c.Headers[0]))
	})
}

// taken reports whether a session handler with these names handles the response. It may be behind
// this handler, or before it, if two directives have the same name and different matchers.
func (l *unmatched) taken() bool {
	behind := true
	for x := latest(l.r); x != nil; x = x.outer {
		behind = behind && x != l.outer
		if x.h.names.request.Find(l.c.Headers[0]) == ours && (!x.ended || behind && x.progress == committed) {
			return true
		}
	}
	return false
}

// covered reports whether a session handler behind this handler has seen the request.
func (l *unmatched) covered() bool {
	for x := latest(l.r); x != l.outer; x = x.outer {
		if x.h.names.request.Find(l.c.Headers[0]) == ours {
			return true
		}
	}
	return false
}

// owns reports whether the session cookie of this session handler, or of one before it, has this
// name.
func (x *exchange) owns(name string) bool {
	for ; x != nil; x = x.outer {
		if !x.ended && x.h.cookie.Names.Own(name) {
			return true
		}
	}
	return false
}

// asideVar is the request variable for what session_clean removes from a request and a session
// handler behind it may need.
const asideVar = "\x00session_aside"

type aside struct {
	// headers are the session headers of the outer request, in a sub-request of templates. See
	// included.
	headers http.Header

	// cookies are the values of the session cookies, by name.
	cookies map[string][]string
}

func asideOf(r *http.Request) *aside {
	a, ok := caddyhttp.GetVar(r.Context(), asideVar).(*aside)
	if !ok {
		a = &aside{make(http.Header), make(map[string][]string)}
		caddyhttp.SetVar(r.Context(), asideVar, a)
	}
	return a
}

func (c *Clean) keepAside(r *http.Request) {
	for name, values := range r.Header {
		if c.names.Find(name) == ours {
			asideOf(r).headers[name] = values
		}
	}
}

// lent holds the cookies of running requests for their sub-requests of templates, which have their
// own variables. The keys are secret. markHeader carries them.
var lent sync.Map

// lend makes the cookies available to sub-requests, until end is called.
func lend(r *http.Request) (end func()) {
	a, ok := caddyhttp.GetVar(r.Context(), asideVar).(*aside)
	if !ok || len(a.cookies) == 0 {
		return func() {}
	}
	key := rand.Text()
	lent.Store(key, a.cookies)
	r.Header[markHeader] = append(slices.Clip(r.Header[markHeader]), key)
	return func() { lent.Delete(key) }
}

func borrow(r *http.Request) {
	for _, key := range r.Header[markHeader] {
		if cookies, ok := lent.Load(key); ok {
			maps.Copy(asideOf(r).cookies, cookies.(map[string][]string))
		}
	}
}

// setAside moves the session cookies out of the request, into asideVar. It keeps those of the
// session handlers from outer on, which have taken the client's and set them themselves.
func setAside(r *http.Request, own cookie.Names, outer *exchange) {
	if len(own) == 0 {
		return
	}
	wire.RemoveCookies(r.Header, func(pair string) bool {
		name, value := wire.ParseCookie(pair)
		if !own.Own(name) || outer.owns(name) {
			return false
		}
		a := asideOf(r)
		a.cookies[name] = append(a.cookies[name], value)
		return true
	})
}
