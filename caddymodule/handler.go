package caddymodule

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/caddy-session/caddy-session/caddymodule/dialects"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// ServeHTTP gives the handlers behind it a session, in the steps of the specification:
// clean, identify, load, forward, next, commit. The commit is made by the exchange, as the
// response writer, before the first byte of the response.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	x := h.enter(w, r)
	included := x.included()
	clean(r, &h.names.request, nil)
	disown(r, &h.disowned, x.outer, false)
	err := refuseTrace(w, r)
	if err == nil {
		err = x.begin()
	}
	if err != nil {
		if !h.cookie.passThrough {
			setAside(r, h.cookie.names)
		}
		return err
	}
	defer x.end()
	id := x.identify(included)
	if early(r) && (len(x.cookies) > 0 || !safe(r.Method)) {
		return x.fail(http.StatusTooEarly, errEarly)
	}
	if err := x.load(id); err != nil {
		return err
	}
	if err := x.forward(); err != nil {
		return err
	}
	if err := x.forwardCookies(); err != nil {
		return err
	}
	x.fit()
	return x.serve(next)
}

// exchange is one request and its response. It is the response writer that the
// next handler gets, so that it sees the response begin in whichever way it does.
type exchange struct {
	headWriter

	h       *Handler
	r       *http.Request
	manager *sessionstore.Manager

	// session is what was loaded, and nobody as long as nothing was: it is never nil.
	session *sessionstore.Session

	// host is the one that the client named, since handlers behind may rewrite it,
	// virtual says that the request is templates' own, and secure that it came over TLS.
	host    string
	virtual bool
	secure  bool

	// stale says that an older key had signed the cookie which names the session, id
	// is what that cookie says, cookies are all values that came under its name, and signed those that verified.
	stale   bool
	id      string
	cookies []string

	// browser is the same of the second cookie, which ends with the browser.
	browser []string
	signed  []signed

	// payload is what a cookie held that is a session by itself.
	payload []byte

	// unavailable says that the session could not be loaded, and that the
	// request went on without.
	unavailable bool

	// added is what was added to the Cookie header: a mark, and those of the vault and of adopt. asked is when the
	// app was given its session.
	added                    string
	marked, vaulted, adopted string
	asked                    time.Time

	// withheld is what the request goes on without.
	withheld withheld

	// touched says that the use of the session is being recorded.
	touched bool

	progress  progress
	forwarded bool
	failure   error
	header    headerSnapshot

	// vars are the request's variables: finding them in a context takes time.
	vars map[string]any

	// outer is the exchange of the handler that was there before in this request.
	outer *exchange
	ended bool

	// What every request needs lies here, so that it needs no memory of its own.
	cookieRoom [1]string
	signedRoom [1]signed
	headerRoom [5]string

	// These belong to the lease.
	before, after *exchange
	interval      time.Duration
	due           time.Time
}

// progress is how far the response has come.
type progress uint8

const (
	waiting progress = iota
	committed
	refused
)

// String keeps what the exchange holds out of placeholders and logs.
func (x *exchange) String() string { return "session" }

// exchangeVar is the request variable that holds the latest exchange. No placeholder can name it.
const exchangeVar = "\x00session"

func latest(r *http.Request) *exchange {
	x, _ := caddyhttp.GetVar(r.Context(), exchangeVar).(*exchange)
	return x
}

// nobody is the session of all requests without one, which share it: it is never changed. It
// has no scope, so that what a change begins is another, see [exchange.target].
var nobody sessionstore.Session

// enter makes the exchange.
func (h *Handler) enter(w http.ResponseWriter, r *http.Request) *exchange {
	x := &exchange{h: h, r: r, session: &nobody, host: r.Host, virtual: isVirtual(r)}
	x.secure = h.isSecure(r, x.virtual)
	x.vars, _ = r.Context().Value(caddyhttp.VarsCtxKey).(map[string]any)
	x.outer, _ = x.vars[exchangeVar].(*exchange)
	x.ResponseWriter, x.of = w, x
	return x
}

// begin acquires the store, and enters the exchange in the request's variables.
func (x *exchange) begin() error {
	h := x.h
	for o := x.outer; o != nil; o = o.outer {
		if !o.ended && (fold(o.h.names.data) == fold(h.names.data) || o.h.cookie.names.meet(h.cookie.names)) {
			h.logger.Error(errTwoHandlers.Error()+"; "+advice(o.h, h),
				zap.String("header_prefix", strings.TrimSuffix(h.names.data, "Data")), zap.String("cookie", x.cookieName()))
			return x.fail(http.StatusInternalServerError, errTwoHandlers)
		}
	}
	var err error
	if x.manager, err = h.store.acquire(); err != nil {
		requests[requestUnavailable].Inc()
		h.loggerFor(err).Error("session store not opened", zap.Error(err))
		mayRepeat(x.ResponseWriter)
		return x.fail(http.StatusServiceUnavailable, err)
	}
	if x.vars != nil {
		x.vars[exchangeVar] = x
	}
	if r := x.r; x.outer == nil {
		if repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
			repl.Map(func(key string) (any, bool) { return placeholder(r, key) })
		}
	}
	x.header.take(x.ResponseWriter.Header())
	return nil
}

var errTwoHandlers = errors.New("two session handlers in one request have the same header prefix or cookie name")

// end gives back what the exchange holds, if the commit has not done so.
func (x *exchange) end() {
	x.leave()
	x.ended = true
}

// leave says that the exchange needs the store no more: a stream goes on for hours.
func (x *exchange) leave() {
	if x.manager == nil {
		return
	}
	x.h.store.done(x)
	x.manager = nil
}

// identity is what names the session: n cookies of ours that verify. In a sub-request of
// templates the outer request has taken the cookie, and ref is what it says.
type identity struct {
	n   int
	ref string
	err error
}

// maxIdentities is how many cookies that verify are looked up: another site of the
// same domain may have added some of its own.
const maxIdentities = 16

// identify finds the cookies of ours that verify.
func (x *exchange) identify(ref string) identity {
	h := x.h
	x.cookies, x.browser = h.cookie.take(x.r.Header, x.cookieName(), x.cookieRoom[:0])
	if a, ok := x.vars[asideVar].(*aside); ok {
		x.cookies = append(x.cookies, a.cookies[x.cookieName()]...)
		x.browser = append(x.browser, a.cookies[x.cookieName()+browserSuffix]...)
	}
	if len(x.cookies) == 0 {
		// In an error route, the handler that failed before has taken the cookies.
		for o := x.outer; o != nil; o = o.outer {
			if o.cookieName() == x.cookieName() {
				x.cookies, x.browser = o.cookies, o.browser
				break
			}
		}
	}
	if len(x.cookies) == 0 {
		return identity{ref: ref}
	}
	if h.format.Client != nil {
		return identity{} // the session itself is in the cookie: see unpack
	}
	sgn, err := h.cookies(x.r.Context())
	if err != nil {
		return identity{err: err}
	}
	x.signed = x.signedRoom[:0]
	for _, value := range x.cookies {
		if s, ok := h.verified.get(value, sgn, x.manager.ValidID); ok {
			x.signed = append(x.signed, s)
		}
	}
	return identity{n: len(x.signed)}
}

// load finds the session. An error refuses the request.
func (x *exchange) load(id identity) error {
	err := id.err
	switch {
	case err != nil:
	case x.h.format.Client != nil:
		err = x.unpack(&id)
	case id.ref != "" && !x.manager.Foreign(): // others make no keys of refs
		x.session, err = x.manager.LoadRef(x.r.Context(), id.ref, x.scope())
	default:
		err = x.lookUp(&id)
	}
	x.countRequest(&id, err)
	switch {
	case err == nil:
		x.h.doubt.consider(x, id.n > 0)
		if x.session.Exists() {
			x.keepAlive()
		}
		return nil
	case x.r.Context().Err() != nil:
		return x.fail(statusClientClosed, x.r.Context().Err()) // which says nothing about the store
	}
	x.h.loggerFor(err).Error("session not loaded", zap.String("ref", id.ref), zap.Error(err))
	if x.h.anonymous {
		x.unavailable = true
		return nil
	}
	mayRepeat(x.ResponseWriter)
	return x.fail(http.StatusServiceUnavailable, err)
}

// lookUp asks the store for the sessions that the cookies name, until there is one. Such that have a successor come
// last: somebody may have planted an old id, with a path that browsers send first.
func (x *exchange) lookUp(id *identity) error {
	for i := range x.signed[:min(len(x.signed), maxIdentities)] {
		c := &x.signed[i]
		s, err := x.manager.LoadKnown(x.r.Context(), c.id, c.ref, x.scope(), x.browser)
		if err != nil {
			x.session, id.ref = &nobody, c.ref
			return err
		}
		if !s.Exists() || s.Former() && x.session.Exists() {
			continue
		}
		s.NoCookie = x.virtual
		x.session, x.id, x.stale = s, c.id, c.stale
		if !s.Former() {
			break
		}
	}
	return nil
}

// cookies returns what reads and makes the values of our cookie.
func (h *Handler) cookies(ctx context.Context) (dialects.Cookies, error) {
	if h.format.Cookies != nil {
		return h.format.Cookies, nil
	}
	return h.secret.get(ctx)
}

func (x *exchange) keepAlive() {
	if x.h.format.Client != nil {
		x.touched = x.session.TouchDue()
		return
	}
	if x.session.TouchDue() {
		x.h.store.touchSoon(beyond(x.r.Context()), x.manager, x.session, (*sessionstore.Manager).Touch)
		x.touched = true
	}
	x.h.store.hold(x, x.manager.RefreshInterval(x.session))
}

// serve runs the next handler, and turns a refused commit into an error.
func (x *exchange) serve(next caddyhttp.Handler) (err error) {
	defer func() {
		if x.progress != refused {
			return
		}
		// What else reverse_proxy can do about a response that cannot be
		// written is this panic.
		if p := recover(); p != nil && p != any(http.ErrAbortHandler) {
			panic(p)
		}
		x.header.restore(x.Header())
		x.removeForwarded()
		err = fail(x.ResponseWriter, x.r, 0, x.failure)
	}()
	err = next.ServeHTTP(x, x.r)
	if err == nil && x.progress == waiting {
		x.commit(http.StatusOK)
	}
	x.stripTrailers()
	if err != nil && x.progress == waiting {
		x.tooLong(statusOf(err))
		x.withdraw()
	}
	return err
}

// withdraw takes our headers back, both ways, when the next handler has failed:
// what follows are the error routes, and nothing was committed.
func (x *exchange) withdraw() {
	x.removeForwarded()
	x.stripHead("a session header of a response that has failed is ignored")
}

// isVirtual reports whether the request is templates' own (httpInclude), whose
// response headers go nowhere. Such a request came through no connection.
func isVirtual(r *http.Request) bool {
	return r.Header["Caddy-Templates-Include"] != nil && r.Context().Value(http.LocalAddrContextKey) == nil
}

// markHeader carries, from a handler to the same in a sub-request of templates, that
// the session headers are the handler's own. It is hop-by-hop: no proxy passes it on.
const markHeader = "Proxy-Connection"

// included returns the ref of the session that the outer request of a sub-request has.
func (x *exchange) included() (ref string) {
	if !x.virtual {
		return ""
	}
	if !slices.Contains(x.r.Header[markHeader], x.h.mark) {
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

// maxHost is the length of the longest name of the DNS. What is longer is no host, and not worth keeping whole.
const maxHost = 253

// scope is where the request's session counts.
func (x *exchange) scope() sessionstore.Scope {
	scope := sessionstore.Scope{Site: x.h.site}
	if x.h.hostScoped {
		scope.Host = hostOf(x.host)
	}
	return scope
}

// hostOf returns what a Host header names, without its port, in the form that scopes use.
func hostOf(host string) string {
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		host = host[:i]
	}
	host = strings.TrimSuffix(strings.Trim(host, "[]"), ".")
	host = host[:min(len(host), maxHost)]
	return strings.ToLower(host) // without a copy, if it is in lower case
}

// Interface guards
var (
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
)
