package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/caddy-session/caddy-session/caddymodule/dialects"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// commit saves what a response with this status asks for and sets the cookie. It runs once, before the
// first byte of the final response. If it is refused, nothing of the response is forwarded.
func (x *exchange) commit(status int) {
	if x.progress != waiting {
		return
	}
	defer x.leave()
	x.progress = committed
	h := x.Header()
	collected := x.collect(h, status)
	x.ignoreCached(h, &collected)
	x.tooLong(status)
	if err := x.save(h, &collected); err != nil {
		x.progress = refused
		x.failure = err
		return
	}
	if x.h.vary {
		x.varyByCookie(h)
	}
}

func (x *exchange) save(h http.Header, c *collected) error {
	if c.lines() == 0 && len(c.vault)+len(c.adopted) == 0 {
		x.finish(h, c, sessionstore.Outcome{Ref: x.session.Ref()})
		return nil
	}
	change, err := x.change(c)
	if err != nil {
		return x.refusal(err)
	}
	if change.Empty() {
		x.finish(h, c, sessionstore.Outcome{Ref: x.session.Ref()})
		return nil
	}
	if x.unavailable {
		return x.refusal(fmt.Errorf("%w: the session was not loaded, so it cannot be changed", sessionstore.ErrUnavailable))
	}
	// A client that hangs up does not lose what the backend has answered.
	ctx := context.WithoutCancel(x.r.Context())
	if x.h.format.Client != nil {
		return x.pack(h, c, change)
	}
	// Without a key there can be no cookie: that must be known before anything is saved.
	sgn, err := x.h.cookies(ctx)
	if err != nil {
		return x.refusal(err)
	}
	session, err := x.target(ctx, c.foreign, sgn)
	if err == nil && change.Destroy {
		err = x.endOthers(ctx)
	}
	if err != nil {
		return x.refusal(err)
	}
	outcome := sessionstore.Outcome{Result: sessionstore.Dropped}
	if session != nil {
		if outcome, err = x.manager.Commit(ctx, session, change); err != nil {
			return x.refusal(err)
		}
	}
	if outcome.Result == sessionstore.Dropped {
		x.h.logger.Info("the session is gone; the change is dropped", zap.String("ref", x.session.Ref()))
	}
	x.finish(h, c, outcome)
	return nil
}

// target returns the session that the change goes to. It is the request's, or an anonymous one
// for a change to begin, unless the backend may name another by a cookie of its own. Then
// we set none, and the target is nil if that cookie leads nowhere.
func (x *exchange) target(ctx context.Context, foreign []string, sgn dialects.Cookies) (*sessionstore.Session, error) {
	if !x.h.cookie.passThrough || len(foreign) == 0 {
		if !x.session.Exists() {
			return &sessionstore.Session{Scope: x.scope(), NoCookie: x.virtual}, nil
		}
		return x.session, nil
	}
	for _, value := range foreign {
		if named, ok := x.h.verified.get(value, sgn, x.manager.ValidID); ok {
			session, err := x.manager.LoadKnown(ctx, named.id, named.ref, x.scope(), x.browser)
			if err != nil || !session.Exists() {
				return nil, err
			}
			return session, nil
		}
	}
	if !x.session.Exists() {
		return nil, nil // nobody could ever find a new one
	}
	return x.session, nil
}

// endOthers ends the sessions of the other cookies that came. They come again with the next request, when
// the one that has been looked at is gone.
func (x *exchange) endOthers(ctx context.Context) error {
	if x.virtual || len(x.signed) == 0 {
		return nil // no cookie can be taken back there, so nothing is ended
	}
	ctx, cancel := context.WithTimeout(ctx, x.h.store.opts.StoreTimeout)
	defer cancel()
	for i := range x.signed {
		c := &x.signed[i]
		if c.id == x.id {
			continue
		}
		session, err := x.manager.LoadKnown(ctx, c.id, c.ref, x.scope(), x.browser)
		if err == nil && session.Exists() {
			_, err = x.manager.Commit(ctx, session, &sessionstore.Change{Destroy: true})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// refusal logs why a commit was refused and makes the client's error of it.
func (x *exchange) refusal(err error) error {
	status, outcome := http.StatusServiceUnavailable, commitFailed
	if errors.Is(err, sessionstore.ErrInvalid) {
		status, outcome = http.StatusBadGateway, commitRefused
	}
	commits[outcome].Inc()
	x.h.loggerFor(err).Error("session change refused", zap.String("ref", x.session.Ref()), zap.Int("status", status), zap.Error(err))
	return caddyhttp.Error(status, err)
}

// finish sets the cookie, if something about it has changed.
func (x *exchange) finish(h http.Header, c *collected, o sessionstore.Outcome) {
	x.countCommit(&o)
	byBackend := x.h.cookie.passThrough && len(c.foreign) > 0
	again := !byBackend && x.renews(&o)
	switch {
	case o.Result == sessionstore.Saved:
	case again && x.session.CookieOutdated():
		x.h.store.touchSoon(beyond(x.r.Context()), x.manager, x.session, (*sessionstore.Manager).TouchGiven)
	case x.session.FirstUse():
		x.h.store.touchSoon(beyond(x.r.Context()), x.manager, x.session, (*sessionstore.Manager).Touch)
	}
	if o.Ref != "" {
		x.logRef(o.Ref)
	}
	if byBackend {
		return // which has set it
	}
	cookie, value, permanent, end, browser := o.Cookie, o.ID, o.Permanent, o.CookieEnd, o.Browser
	if again {
		cookie, value, permanent, end = sessionstore.CookieSet, x.id, x.session.Lasts(), x.session.CookieEnd()
		browser = x.session.Browser()
	}
	switch cookie {
	case sessionstore.CookieSet:
		if x.h.format.Client == nil {
			sgn, _ := x.h.cookies(x.r.Context()) // it was there before
			value = sgn.Sign(value)
		} else if o.Cookie == sessionstore.CookieKept {
			value = x.h.format.Client.Seal(x.payload, time.Now())
		}
		x.setCookie(h, x.h.cookie.set(x.secure, value, permanent, end))
		if browser != "" {
			x.setCookie(h, x.h.cookie.setBrowser(x.secure, browser))
		}
	case sessionstore.CookieExpired:
		if len(x.cookies) > 0 {
			x.setCookie(h, x.h.cookie.expire(x.secure, ""))
		}
		if len(x.browser) > 0 {
			x.setCookie(h, x.h.cookie.expire(x.secure, browserSuffix))
		}
	}
}

// renews reports whether the cookie must be set although nothing in it has changed: an older key had signed it, it was
// set with other attributes than the configuration has now, the browser was closed or has not got what says that it was
// not, or the cookie would end while the session goes on, as the dialect does not say when that began.
func (x *exchange) renews(o *sessionstore.Outcome) bool {
	if o.Cookie != sessionstore.CookieKept || o.Result == sessionstore.Dropped || !x.session.Exists() || x.session.Former() || o.Former {
		return false
	}
	browser := x.session.Browser()
	due := x.stale || x.session.CookieOutdated() || browser != "" && !x.virtual && !slices.Contains(x.browser, browser) || x.touched && x.session.Permanent() && x.session.AbsoluteEnd().IsZero()
	return due && (x.h.format.Client != nil || x.manager.Current(x.r.Context(), x.session))
}

// setCookie adds our cookie. A response that carries it belongs to one client, so no cache may keep it.
func (x *exchange) setCookie(h http.Header, value string) {
	h.Add("Set-Cookie", value)
	uncacheable(h)
}

func uncacheable(h http.Header) {
	for name := range h {
		switch lower := strings.ToLower(name); lower {
		case "expires", "surrogate-control", "edge-control", "x-accel-expires":
			delete(h, name)
		default:
			// Targeted ones overrule Cache-Control (RFC 9213), each in its CDN: CDN-, Cloudflare-CDN-, Vercel-CDN-, ….
			if strings.HasSuffix(lower, "cache-control") {
				delete(h, name)
			}
		}
	}
	h.Set("Cache-Control", "no-store")
}

// refField is the field of the access log. In a request with several handlers, the
// names of the inner ones are added.
const refField = "session_ref"

func (x *exchange) logRef(ref string) {
	server, ok := x.r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if !ok || server.Logs == nil {
		return // there is no access log
	}
	fields, ok := x.r.Context().Value(caddyhttp.ExtraLogFieldsCtxKey).(*caddyhttp.ExtraLogFields)
	if !ok {
		return
	}
	name := refField
	if x.outer != nil && x.h.Name != "" {
		name += "_" + x.h.Name
	}
	fields.Set(zap.String(name, ref))
}

// varyByCookie tells caches that the response depends on the cookie.
func (x *exchange) varyByCookie(h http.Header) {
	lines := h["Vary"]
	for _, line := range lines {
		for name := range strings.SplitSeq(line, ",") {
			if name = strings.TrimSpace(name); name == "*" || strings.EqualFold(name, "Cookie") {
				return
			}
		}
	}
	if lines == nil {
		h["Vary"] = x.line(4, "Cookie")
	} else {
		h["Vary"] = append(lines, "Cookie")
	}
}

func nameField(name string) zap.Field { return zap.String("header", name) }
