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

// unmatched is the response to a request that a matcher may have left out. There, no session handler takes out of it what is
// meant for one.
type unmatched struct {
	headWriter
	c *Clean
	r *http.Request

	// outer is the latest exchange of the handlers before.
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

// end strips what next has left: trailers, or the head of a response that has not begun, as one that failed.
func (l *unmatched) end() {
	if !l.begun {
		l.strip()
	}
	if !l.taken() && l.c.response.stripTrailers(l.Header()) {
		l.warn()
	}
}

func (l *unmatched) strip() {
	if !l.taken() && l.c.response.strip(l.Header(), l.c.own) {
		l.warn()
	}
}

func (l *unmatched) warn() {
	l.c.warned.Do(func() {
		l.c.logger.Warn("a backend changes a session in a response that the matcher of session leaves out; that is ignored",
			nameField(l.c.Headers[0]))
	})
}

// taken reports whether a session handler of these names sees to the response: one behind, or one before, as where two
// directives have one name and matchers of their own.
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

// asideVar is the request variable with what a cleaner has taken out of a request and the session handler behind may need.
const asideVar = "\x00session_aside"

type aside struct {
	// headers are those of the outer request, in a sub-request of templates: see included.
	headers http.Header

	// cookies are the values of the session's cookies, by their names.
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

// lent holds the cookies that are aside while requests are under way, for sub-requests of templates, which have
// variables of their own. The keys are secret, and travel in markHeader.
var lent sync.Map

// lend returns what ends the loan.
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

// setAside takes the session's cookies out of a request.
func setAside(r *http.Request, own cookie.Names) {
	if len(own) == 0 {
		return
	}
	wire.RemoveCookies(r.Header, func(pair string) bool {
		name, value := wire.ParseCookie(pair)
		if !own.Own(name) {
			return false
		}
		a := asideOf(r)
		a.cookies[name] = append(a.cookies[name], value)
		return true
	})
}
