// Package httpsession is a middleware for net/http. It loads the session that a request's signed
// cookie names, and saves what the handler has changed before the first byte of the response.
package httpsession

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/signer"
)

// Options say where sessions are kept, and what their cookie looks like.
type Options struct {
	// Manager keeps the sessions. Required.
	Manager *sessionstore.Manager

	// Signer signs the cookies. Required.
	Signer *signer.Signer

	// Cookie has the attributes of the cookie. Its value and its end are ignored. Default: the name
	// "session", the path "/", SameSite=Lax. HttpOnly is always set, and Secure for requests over
	// TLS.
	Cookie http.Cookie

	// OnError answers a request whose session could not be loaded or saved. Nothing has been
	// written before. Default: 500 for a change that is not valid, which wraps
	// [sessionstore.ErrInvalid], and 503 for all others.
	OnError func(w http.ResponseWriter, r *http.Request, err error)
}

// maxCookies is the maximum number of valid cookies that are looked up. Another site of the same
// domain may have added some.
const maxCookies = 16

// Middleware returns a function that wraps a handler. The handler gets its session by [From].
//
// A request that takes longer than a minute should call [sessionstore.Manager.Refresh] now and
// then: see [sessionstore.Manager.RefreshInterval].
func Middleware(o Options) func(http.Handler) http.Handler {
	if o.Cookie.Name == "" {
		o.Cookie.Name = "session"
	}
	if o.Cookie.Path == "" {
		o.Cookie.Path = "/"
	}
	if o.Cookie.SameSite == 0 {
		o.Cookie.SameSite = http.SameSiteLaxMode
	}
	o.Cookie.HttpOnly = true
	if o.OnError == nil {
		o.OnError = answer
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { o.serve(w, r, next) })
	}
}

func answer(w http.ResponseWriter, _ *http.Request, err error) {
	status := http.StatusServiceUnavailable
	if errors.Is(err, sessionstore.ErrInvalid) {
		status = http.StatusInternalServerError
	}
	http.Error(w, http.StatusText(status), status)
}

func (o *Options) serve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	loaded, stale, err := o.load(r)
	if err != nil {
		o.OnError(w, r, err)
		return
	}
	s := &Session{Loaded: loaded}
	cw := &writer{ResponseWriter: w, commit: func() error {
		err := o.commit(w, r, s, stale)
		if err != nil {
			clear(w.Header())
			o.OnError(w, r, err)
		}
		return err
	}}
	next.ServeHTTP(cw, r.WithContext(context.WithValue(r.Context(), key{}, s)))
	if cw.begin() == nil && s.touch {
		// If it fails, the next request tries again.
		_ = o.Manager.Touch(context.WithoutCancel(r.Context()), loaded)
	}
}

// load returns the session that the request's cookies name, and its id if the cookie should be
// signed again.
func (o *Options) load(r *http.Request) (s *sessionstore.Session, stale string, err error) {
	scope, looked := o.scope(r), 0
	s = &sessionstore.Session{Scope: scope}
	for _, c := range r.CookiesNamed(o.Cookie.Name) {
		id, old, ok := o.Signer.Verify(c.Value)
		if !ok || !o.Manager.ValidID(id) {
			continue
		}
		if looked++; looked > maxCookies {
			break
		}
		found, err := o.Manager.Load(r.Context(), id, scope)
		switch {
		case err != nil:
			return found, "", err
		case !found.Exists() || found.Former() && s.Exists():
			continue
		}
		s, stale = found, ""
		if old {
			stale = id
		}
		if !s.Former() {
			break
		}
	}
	return s, stale, nil
}

// scope returns the scope of a session: the hosts that get its cookie.
func (o *Options) scope(r *http.Request) sessionstore.Scope {
	if o.Cookie.Domain != "" {
		return sessionstore.Scope{Site: "name " + o.Cookie.Name + " domain " + o.Cookie.Domain}
	}
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return sessionstore.Scope{Site: "name " + o.Cookie.Name, Host: strings.ToLower(strings.Trim(host, "[]"))}
}

// commit saves the change and sets the cookie, if it must be set.
func (o *Options) commit(w http.ResponseWriter, r *http.Request, s *Session, stale string) error {
	s.committed = true
	// If the client closes the connection, the change is saved all the same.
	ctx := context.WithoutCancel(r.Context())
	if s.Change.Destroy && s.Change.First == nil {
		s.Change.First = func(ctx context.Context) error { return o.endOthers(ctx, r, s.Loaded) }
	}
	out, err := o.Manager.Commit(ctx, s.Loaded, &s.Change)
	if err != nil {
		return err
	}
	s.touch = out.Result == sessionstore.Unchanged && (s.Loaded.TouchDue() || s.Loaded.FirstUse())
	w.Header().Add("Vary", "Cookie")
	switch {
	case out.Cookie == sessionstore.CookieSet:
		o.setCookie(w, r, out.ID, out.Permanent, out.CookieEnd)
	case out.Cookie == sessionstore.CookieExpired:
		if _, err := r.Cookie(o.Cookie.Name); err == nil {
			o.setCookie(w, r, "", true, time.Time{})
		}
	case stale != "" && !out.Former && o.Manager.Current(ctx, s.Loaded):
		o.setCookie(w, r, stale, s.Loaded.Permanent(), s.Loaded.CookieEnd())
	}
	return nil
}

// endOthers ends the sessions of the other cookies in the request. Otherwise the next request would
// be in one of them.
func (o *Options) endOthers(ctx context.Context, r *http.Request, s *sessionstore.Session) error {
	for _, c := range r.CookiesNamed(o.Cookie.Name) {
		id, _, ok := o.Signer.Verify(c.Value)
		if !ok || !o.Manager.ValidID(id) || sessionstore.Ref(id) == s.Ref() {
			continue
		}
		other, err := o.Manager.Load(ctx, id, o.scope(r))
		if err == nil && other.Exists() {
			_, err = o.Manager.Commit(ctx, other, &sessionstore.Change{Destroy: true})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (o *Options) setCookie(w http.ResponseWriter, r *http.Request, id string, permanent bool, end time.Time) {
	c := o.Cookie
	c.Value, c.Expires, c.MaxAge = "", time.Time{}, 0
	c.Secure = c.Secure || r.TLS != nil
	if id != "" {
		c.Value = o.Signer.Sign(id)
	}
	if permanent {
		if c.MaxAge = int(time.Until(end).Seconds()); c.MaxAge <= 0 {
			c.MaxAge = -1 // which is sent as Max-Age=0
		}
	}
	http.SetCookie(w, &c)
	w.Header().Set("Cache-Control", "no-store") // no cache may give it to somebody else
}
