package caddymodule

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/caddy-session/caddy-session/caddymodule/cookie"
	"github.com/caddy-session/caddy-session/caddymodule/internal/failure"
	"github.com/caddy-session/caddy-session/caddymodule/internal/turns"
	"github.com/caddy-session/caddy-session/caddymodule/keep"
	"github.com/caddy-session/caddy-session/caddymodule/late"
	"github.com/caddy-session/caddy-session/caddymodule/parts"
	"github.com/caddy-session/caddy-session/caddymodule/session"
	"github.com/caddy-session/caddy-session/internal/config"
	"github.com/caddy-session/caddy-session/internal/wire"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// ServeHTTP gives the handlers behind it a session: clean, identify, load, forward, next, commit.
// The exchange is the response writer of the next handler. It commits before the first byte of the
// response.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	x := h.enter(w, r)
	included := x.included()
	clean(r, &h.names.request, nil)
	removeForgedCookies(r, &h.appCookies, x.outer, false)
	err := refuseTrace(w, r)
	if err == nil {
		err = x.begin()
	}
	if err != nil {
		if !h.cookie.PassThrough {
			setAside(r, h.cookie.Names, nil)
		}
		return err
	}
	defer x.end()
	x.identify(included)
	if early(r) && (len(x.Cookies) > 0 || !safe(r.Method)) {
		return x.fail(http.StatusTooEarly, errEarly)
	}
	if err := x.load(); err != nil {
		return err
	}
	if err := x.forward(); err != nil {
		return err
	}
	return x.serve(next)
}

// exchange is one request and its response. It is the response writer of the next handler, so it
// sees the start of the response, however the handler starts it.
type exchange struct {
	headWriter
	keep.Visit

	h *Handler
	r *http.Request

	// host is the Host header as the client sent it, because later handlers may rewrite it. secure
	// says that the client used TLS. A second session handler takes both from the first one.
	host   string
	secure bool

	// unavailable says that the session could not be loaded and the request goes on without it.
	unavailable bool

	// view is what the parts see. forwarded is what they added to the request.
	view      parts.View
	forwarded parts.Forwarded

	progress progress
	report   report

	// explains says that the client may see the report. explained is the line that shows it.
	explains  bool
	explained []string
	marked    bool
	failure   error
	header    headerSnapshot

	// vars are the request's variables. They are kept here because a look-up in the context is
	// slow.
	vars map[string]any

	// stream is the response, if it is one that ends with the session.
	stream stream

	// late lets the app change the session after the head of the response. It is nil without the
	// option.
	late *late.Token

	// turn is the turn of the request among those of its session. It is nil without
	// serialize_requests.
	turn *turns.Turn

	// outer is the exchange of the session handler before this one in the same request.
	outer *exchange
	ended bool

	// headerRoom holds two header values. With the arrays of [parts.Forwarded], it keeps a request
	// without a session at 2 allocations in place of 7, and saves a read 0.1 µs.
	headerRoom [2]string
}

// progress is the state of the response.
type progress uint8

const (
	waiting progress = iota
	committed
	refused
)

// enter creates the exchange.
func (h *Handler) enter(w http.ResponseWriter, r *http.Request) *exchange {
	x := &exchange{h: h, r: r, host: r.Host, Visit: keep.Visit{Request: r, Session: keep.Nobody, Virtual: isVirtual(r)}}
	x.secure = h.isSecure(r, x.Virtual)
	x.vars, _ = r.Context().Value(caddyhttp.VarsCtxKey).(map[string]any)
	outer, _ := x.vars[session.Variable].(*view)
	if x.outer = (*exchange)(outer); outer != nil && !x.Virtual {
		x.host, x.secure = outer.host, outer.secure
	}
	x.ResponseWriter, x.of = w, x
	x.explains = !x.Virtual && h.explain.For(r)
	return x
}

// begin enters the keeper and puts the exchange into the request's variables.
func (x *exchange) begin() error {
	h := x.h
	for o := x.outer; o != nil; o = o.outer {
		if x.meets(o) {
			h.logger.Error(errTwoHandlers.Error()+"; "+advice(o.h, h),
				zap.String("header_prefix", strings.TrimSuffix(h.names.data, "Data")), zap.String("cookie", x.cookieName()))
			return x.fail(http.StatusInternalServerError, errTwoHandlers)
		}
	}
	x.Scope = h.ScopeOf(x.host)
	if config.Or(h.RememberClient, false) && !x.Virtual { // that has the address 127.0.0.1
		address, _ := caddyhttp.GetVar(x.r.Context(), caddyhttp.ClientIPVarKey).(string)
		x.Client = sessionstore.NewClient(address, x.r.UserAgent())
	}
	if err := h.keeper.Enter(&x.Visit); err != nil {
		x.countRequest(err)
		x.tell()
		h.loggerFor(err).Error("session store not opened", zap.Error(err))
		failure.MayRepeat(x.ResponseWriter)
		return x.fail(http.StatusServiceUnavailable, err)
	}
	x.show()
	x.header.save(x.ResponseWriter.Header())
	return nil
}

// show shows the session to later handlers, in the request's variables and as placeholders.
func (x *exchange) show() {
	if x.vars != nil {
		x.vars[session.Variable] = (*view)(x)
	}
	r := x.r
	if repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok && x.outer == nil {
		repl.Map(func(key string) (any, bool) { return placeholder(r, key) })
	}
}

// meets reports whether two handlers of a request would take each other's headers or cookies.
func (x *exchange) meets(outer *exchange) bool {
	return !outer.ended && (wire.Fold(outer.h.names.data) == wire.Fold(x.h.names.data) || outer.h.cookie.Names.Meet(x.h.cookie.Names))
}

var errTwoHandlers = errors.New("two session handlers in one request have the same header prefix or cookie name")

// end releases the store if the commit has not done so, and reports.
func (x *exchange) end() {
	x.turn.Give()
	if x.late != nil {
		x.late.Begin(nil) // if there was no commit
	}
	x.leave()
	x.LetGo()
	x.stream.leave()
	x.tell()
	x.ended = true
}

// leave releases the keeper. The commit calls it, because a response may go on for hours.
func (x *exchange) leave() { x.h.keeper.Leave(&x.Visit) }

// identify finds the session cookies. In a sub-request of templates, included is the ref of the
// page's session, if there is one. That finds the session in place of the cookies, except in an
// app's format, where no ref leads to a session.
func (x *exchange) identify(included string) {
	if x.h.debug {
		x.report.received = x.cookieNames()
	}
	x.Cookies, x.Browser = x.h.cookie.Take(x.r.Header, x.cookieName())
	if a, ok := x.vars[asideVar].(*aside); ok {
		x.Cookies = append(x.Cookies, a.cookies[x.cookieName()]...)
		x.Browser = append(x.Browser, a.cookies[x.cookieName()+cookie.BrowserSuffix]...)
	}
	if included != "" && !x.h.format.Foreign() {
		x.Cookies, x.Browser = nil, nil
	}
	// In an error route, the handler that failed has already taken the cookies. If the app gets the
	// first one, the second one still is taken.
	for o := x.outer; o != nil; o = o.outer {
		if o.cookieName() != x.cookieName() {
			continue
		}
		if len(x.Cookies) == 0 {
			x.Cookies = o.Cookies
		}
		if len(x.Browser) == 0 {
			x.Browser = o.Browser
		}
	}
	if len(x.Cookies) == 0 {
		x.Ref = included
		x.report.Cookie = cookieNone
	} else {
		x.report.Cookie = cookieKept
	}
}

// load loads the session. An error refuses the request.
func (x *exchange) load() error {
	stop := x.watch()
	err := x.find()
	stop()
	x.countRequest(err)
	switch {
	case err == nil:
		x.h.doubt.consider(x, x.Verified > 0)
		return nil
	case x.r.Context().Err() != nil:
		return x.fail(statusClientClosed, x.r.Context().Err()) // not an outage of the store
	case errors.Is(err, failure.ErrBusy):
		x.h.outages.Warn("a request has waited too long for another one of its session", zap.String("ref", x.Session.Ref()))
		failure.MayRepeat(x.ResponseWriter)
		return x.fail(http.StatusServiceUnavailable, err)
	}
	x.h.loggerFor(err).Error("session not loaded", zap.String("ref", x.Ref), zap.Error(err))
	if x.h.OnStoreError == onErrorAnonymous {
		x.unavailable = true
		return nil
	}
	failure.MayRepeat(x.ResponseWriter)
	return x.fail(http.StatusServiceUnavailable, err)
}

// serve calls the next handler. It turns a refused commit into an error.
func (x *exchange) serve(next caddyhttp.Handler) (err error) {
	defer func() {
		if x.progress != refused {
			return
		}
		// reverse_proxy panics with this error when it cannot write the response.
		if p := recover(); p != nil && p != any(http.ErrAbortHandler) {
			panic(p)
		}
		x.header.restore(x.Header())
		x.undoForward()
		x.describe(x.Header())
		err = failure.Answer(x.ResponseWriter, x.r, 0, x.failure)
	}()
	x.stream.prepare(x)
	err = next.ServeHTTP(x, x.r)
	if err == nil && x.progress == waiting {
		x.commit(http.StatusOK)
	}
	x.stripTrailers()
	if err != nil && x.progress == waiting {
		x.tooLong(statusOf(err))
		x.undo()
		x.describe(x.Header())
	}
	return err
}

// undo removes the session headers from the request and the response after the next handler has
// failed. The error routes come next, and nothing was committed.
func (x *exchange) undo() {
	x.undoForward()
	x.stripHead("a session header in a failed response is ignored")
}

// isVirtual reports whether the request comes from templates (httpInclude). It has no connection,
// and its response headers are discarded.
func isVirtual(r *http.Request) bool {
	return r.Header["Caddy-Templates-Include"] != nil && r.Context().Value(http.LocalAddrContextKey) == nil
}

// markHeader tells this handler, in a sub-request of templates, that the session headers in it are
// its own. templates creates a new context and new variables for a sub-request and copies only the
// headers, so there is no simpler way. Proxies never forward this header, as it is hop-by-hop.
const markHeader = "Proxy-Connection"

// secureMark follows the mark of a handler whose request used TLS. A sub-request of templates has
// no connection that could tell.
const secureMark = "+tls"

// included returns the ref of the outer request's session, in a sub-request of templates.
func (x *exchange) included() (ref string) {
	if !x.Virtual {
		return ""
	}
	for o := x.outer; o != nil; o = o.outer {
		if o.ended && slices.Equal(o.h.cookie.Names, x.h.cookie.Names) && len(o.Cookies) == 0 {
			x.secure = o.secure || o.view.Secure
			return o.Ref // this is an error route of the sub-request
		}
	}
	if marks := x.r.Header[markHeader]; !slices.Contains(marks, x.h.mark) && !slices.Contains(marks, x.h.mark+secureMark) {
		return ""
	}
	info := x.r.Header.Get(x.h.names.info)
	if a, ok := x.vars[asideVar].(*aside); ok && info == "" {
		info = a.headers.Get(x.h.names.info)
	}
	_, rest, _ := strings.Cut(info, `ref="`)
	ref, _, _ = strings.Cut(rest, `"`)
	return ref
}

// cookieName is the name of the session cookie in this request. A cookie with the other name (with
// or without __Host-) is ignored.
func (x *exchange) cookieName() string { return x.h.cookie.NameFor(x.secure) }

// cannotBePlanted reports whether no other host can have set the session cookie of this request.
func (x *exchange) cannotBePlanted() bool { return cookie.HasPrefix(x.cookieName(), cookie.HostPrefix) }

// isSecure reports whether the client used TLS. A sub-request of templates has no connection; a
// __Host- cookie shows it there, because browsers send that over TLS only.
func (h *Handler) isSecure(r *http.Request, virtual bool) bool {
	if !virtual || !h.cookie.HostOnTLS || cookie.OverTLS(r) {
		return cookie.OverTLS(r)
	}
	name := h.cookie.Names[1]
	return asideOf(r).cookies[name] != nil ||
		slices.ContainsFunc(r.Header["Cookie"], func(line string) bool { return strings.Contains(line, name+"=") })
}

// maxHost is the maximum length of a DNS name. Longer names are cut.
const maxHost = 253

// ScopeOf returns the scope of the sessions of a host, as the Host header names it.
func (h *Handler) ScopeOf(host string) sessionstore.Scope {
	scope := sessionstore.Scope{Site: h.site}
	if h.hostScoped {
		scope.Host = hostOf(host)
	}
	return scope
}

// hostOf returns a Host header in lower case, without its port, brackets and final dot.
func hostOf(host string) string {
	i := strings.LastIndexByte(host, ':')
	if i > strings.LastIndexByte(host, ']') && (host[0] == '[' || i == strings.IndexByte(host, ':')) { // no bare IPv6 address
		host = host[:i]
	}
	host = strings.TrimSuffix(strings.Trim(host, "[]"), ".")
	host = host[:min(len(host), maxHost)]
	return strings.ToLower(host)
}

// Interface guards
var (
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
)
