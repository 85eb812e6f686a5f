package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/caddy-session/caddy-session/caddymodule/cookie"
	"github.com/caddy-session/caddy-session/caddymodule/keep"
	"github.com/caddy-session/caddy-session/internal/ended"
	"github.com/caddy-session/caddy-session/internal/wire"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// commit saves the change that a response asks for and sets the session cookie. It runs once,
// before the first byte of the final response. If it refuses the change, nothing of the response is
// sent.
func (x *exchange) commit(status int) {
	if x.progress != waiting {
		return
	}
	defer x.leave()
	x.progress = committed
	h := x.Header()
	t := x.takeFrom(h, status)
	if x.h.debug {
		x.report.taken = x.takenNames(&t)
	}
	x.ignoreCached(h, &t)
	x.tooLong(status)
	if err := x.save(h, &t); err != nil {
		x.progress = refused
		x.failure = err
		return
	}
	x.beginLate()
	x.keepTurn(status, h)
	x.describe(h)
	if x.isStream(status, h) {
		x.LetGo()
		if x.h.endsStreams {
			x.stream.begin(x)
		}
	}
}

func (x *exchange) save(h http.Header, t *taken) error {
	if t.lines == nil {
		x.finish(h, t, x.unchanged())
		return nil
	}
	change, err := x.change(t)
	if err != nil {
		return x.refusal(err)
	}
	if change.Empty() {
		x.finish(h, t, x.unchanged())
		return nil
	}
	if x.unavailable {
		return x.refusal(fmt.Errorf("%w: the session was not loaded, so it cannot be changed", sessionstore.ErrUnavailable))
	}
	stop := x.watch()
	outcome, err := x.h.keeper.Save(&x.Visit, change, t.app)
	stop()
	if err != nil {
		return x.refusal(err)
	}
	if outcome.Result == sessionstore.Saved && x.Session.Exists() && (change.Destroy || outcome.Cookie == sessionstore.CookieExpired) {
		ended.Destroyed.Inc()
	}
	if outcome.Result == sessionstore.Dropped {
		x.h.logger.Info("the session has ended; the change is dropped", zap.String("ref", x.Session.Ref()))
		x.dropLate() // its successor may be somebody else's login
	}
	if outcome.Replaces && len(t.app) > 0 {
		// The new session cookie replaces the app's: it includes the app's change.
		x.removeSessionCookies(h)
		t.app = nil
	}
	x.finish(h, t, outcome)
	return nil
}

// refusal logs why a commit was refused and returns the error for the client.
func (x *exchange) refusal(err error) error {
	status, outcome, do := http.StatusServiceUnavailable, commitFailed, lookAtLog
	switch {
	case errors.Is(err, sessionstore.ErrInvalid):
		status, outcome, do = http.StatusBadGateway, commitRefused, correctApp
	case errors.Is(err, sessionstore.ErrUserLimit): // nothing is wrong with the app or the store
		x.countCommit(commitLimited)
		x.h.logger.Info("login refused: the user has as many sessions as max_user_sessions allows", zap.String("ref", x.Session.Ref()))
		return caddyhttp.Error(http.StatusForbidden, err)
	}
	x.countCommit(outcome)
	x.h.remember(do, "a change was refused with the status %d: %v", status, err)
	x.h.loggerFor(err).Error("session change refused", zap.String("ref", x.Session.Ref()), zap.Int("status", status), zap.Error(err))
	return caddyhttp.Error(status, err)
}

// unchanged is the outcome of a response without a change.
func (x *exchange) unchanged() keep.Outcome {
	return keep.Outcome{Outcome: sessionstore.Outcome{Ref: x.Session.Ref()}}
}

// finish counts the commit and sets the session cookie if it has changed.
func (x *exchange) finish(h http.Header, t *taken, o keep.Outcome) {
	x.countCommit(x.outcomeOf(&o))
	byApp := len(t.app) > 0
	value, again := "", !byApp && x.cookieDue(&o)
	if again {
		value, again = x.h.keeper.Renew(&x.Visit)
	}
	x.h.keeper.Answered(&x.Visit, o.Result == sessionstore.Saved, again)
	x.report.ref = o.Ref
	if byApp {
		x.report.Cookie = cookieByApp
		for _, line := range h["Set-Cookie"] {
			if set, _ := wire.ParseSetCookie(line); set == x.cookieName() {
				x.checkCookie(line)
			}
		}
		return
	}
	becomes, permanent, end, browser := o.Cookie, o.Permanent, o.CookieEnd, o.Browser
	if again {
		becomes, permanent, end, browser = sessionstore.CookieSet, x.Session.Lasts(), x.Session.CookieEnd(), x.Session.Browser()
	} else {
		value = o.Value
	}
	if o.Former || o.Result == sessionstore.Dropped || x.Session.Former() {
		x.report.Cookie = cookieWithheld
	}
	switch becomes {
	case sessionstore.CookieSet:
		x.report.Cookie = cookieSet
		line := x.h.cookie.Set(x.secure, value, permanent, end)
		x.setCookie(h, line)
		x.checkCookie(line)
		if browser != "" {
			x.setCookie(h, x.h.cookie.SetBrowser(x.secure, browser))
		}
	case sessionstore.CookieExpired:
		if len(x.Cookies) > 0 {
			x.report.Cookie = cookieDeleted
			x.setCookie(h, x.h.cookie.Expire(x.secure, ""))
		}
		if len(x.Browser) > 0 {
			x.setCookie(h, x.h.cookie.Expire(x.secure, cookie.BrowserSuffix))
		}
	}
}

// cookieDue reports whether the cookie must be set again although its value has not changed:
//
//   - an older key signed it, or it was set with other attributes than the configuration has now
//   - the browser was closed, or the second cookie, which shows that, has not come back
//   - the cookie would end before the session, in a dialect whose sessions do not record when they
//     began
func (x *exchange) cookieDue(o *keep.Outcome) bool {
	s := x.Session
	if o.Cookie != sessionstore.CookieKept || o.Result == sessionstore.Dropped || !s.Exists() || s.Former() || o.Former {
		return false
	}
	browser := s.Browser()
	return x.Stale || s.CookieOutdated() || browser != "" && !x.Virtual && !slices.Contains(x.Browser, browser) ||
		x.Touched && s.Permanent() && s.AbsoluteEnd().IsZero()
}

// setCookie adds a session cookie. Caches must not keep the response, since it is for one client.
func (x *exchange) setCookie(h http.Header, value string) {
	h.Add("Set-Cookie", value)
	uncacheable(h)
}

// uncacheable lets no cache keep a response, not even the client's.
func uncacheable(h http.Header) {
	takeCaching(h)
	h.Set("Cache-Control", "no-store")
}

// private lets no cache but the client's keep a response, and that one as the app says.
func private(h http.Header) {
	expires := h["Expires"]
	said, _ := wire.RemoveTokens(takeCaching(h), func(directive string) bool {
		name, _, _ := strings.Cut(strings.ToLower(directive), "=")
		return name == "" || name == "private" || name == "public" || name == "s-maxage"
	})
	if expires != nil {
		h["Expires"] = expires
	}
	h.Set("Cache-Control", strings.Join(slices.Insert(said, 0, "private"), ", "))
}

// takeCaching removes what tells caches how long to keep a response, and returns the lines of
// Cache-Control.
func takeCaching(h http.Header) (control []string) {
	for name := range h {
		switch lower := strings.ToLower(name); lower {
		case "cache-control":
			control = append(control, h[name]...)
			delete(h, name)
		case "expires", "surrogate-control", "edge-control", "x-accel-expires":
			delete(h, name)
		default:
			// Targeted headers overrule Cache-Control, each in its CDN (RFC 9213):
			// CDN-Cache-Control, Cloudflare-CDN-Cache-Control and so on.
			if strings.HasSuffix(lower, "cache-control") {
				delete(h, name)
			}
		}
	}
	return control
}

// varyByCookie adds Vary: Cookie.
func (x *exchange) varyByCookie(h http.Header) {
	lines := h["Vary"]
	for _, line := range lines {
		for name := range strings.SplitSeq(line, ",") {
			name = strings.TrimSpace(name)
			if strings.EqualFold(name, "Cookie") && x.h.hasCookieTaker {
				x.hideCookieChanges(h)
			}
			if name == "*" || strings.EqualFold(name, "Cookie") {
				return
			}
		}
	}
	if lines == nil {
		h["Vary"] = x.line(1, "Cookie")
	} else {
		h["Vary"] = append(lines, "Cookie")
	}
}

// hideCookieChanges is for a response that the app says to vary by its cookies. The browser, which
// does not have them, must not keep it: after a logout in the same session, a conditional request
// or its history would bring it back. It may keep scripts, styles, fonts and images with an ETag if
// it asks each time whether they have changed: they are not shown without their page.
func (x *exchange) hideCookieChanges(h http.Header) {
	control := "no-store"
	switch x.r.Header.Get("Sec-Fetch-Dest") {
	case "script", "style", "font", "image":
		noStore := func(directive string) bool { return strings.EqualFold(directive, "no-store") }
		if h.Get("Etag") != "" && !slices.ContainsFunc(h["Cache-Control"], func(line string) bool { return wire.AnyToken(line, noStore) }) {
			control = "private, no-cache"
		}
	}
	uncacheable(h)
	h.Set("Cache-Control", control)
}

func nameField(name string) zap.Field { return zap.String("header", name) }
