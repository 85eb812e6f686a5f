package caddymodule

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/caddy-session/caddy-session/caddymodule/cookie"
	"github.com/caddy-session/caddy-session/caddymodule/explain"
	"github.com/caddy-session/caddy-session/caddymodule/internal/webpage"
	"github.com/caddy-session/caddy-session/caddymodule/keep"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// explanation collects what the handler says of a request for which there is no answer.
type explanation struct {
	*exchange
	steps []explain.Step
}

// refuse notes that the handler refuses the request, for its first reason.
func (e *explanation) refuse(status int, err error) {
	if e.failure == nil {
		e.failure = caddyhttp.Error(status, err)
	}
}

func (e *explanation) says(what, format string, args ...any) {
	e.steps = append(e.steps, explain.Step{What: what, Says: fmt.Sprintf(format, args...)})
}

func (e *explanation) wrong(what, do, format string, args ...any) {
	e.steps = append(e.steps, explain.Step{What: what, Says: fmt.Sprintf(format, args...), Wrong: true, Do: do})
}

// ExplainRequest implements [explain.Handler].
func (h *Handler) ExplainRequest(r *http.Request, bare string) explain.Passage {
	e := &explanation{exchange: h.enter(nil, r)}
	name := ""
	if h.Name != "" {
		name = " with the name " + h.Name
	}
	e.says("session", "the session%s handles it; its sessions are those of %s", name, h.scopeText())
	for o := e.outer; o != nil; o = o.outer {
		if e.meets(o) {
			e.wrong("session", advice(o.h, h), "%s: every such request is a 500", errTwoHandlers)
			e.refuse(http.StatusInternalServerError, errTwoHandlers)
		}
	}
	if strings.EqualFold(r.Method, http.MethodTrace) {
		e.wrong("session", "another method", "%v: every such request is a 405", errTrace)
		e.refuse(http.StatusMethodNotAllowed, errTrace)
	}
	clean(r, &h.names.request, nil)
	e.Scope = h.ScopeOf(e.host)
	e.show()
	came := e.cookieNames()
	e.identify("")
	if bare != "" {
		e.Cookies = []string{bare}
	} else if e.Browser == nil {
		e.Browser = []string{}
	}
	if early(r) && (len(e.Cookies) > 0 || !safe(r.Method)) {
		e.wrong("session", "the client sends the request again; if it does not, turn off early data in the server in front", "%v: it is a 425", errEarly)
		e.refuse(http.StatusTooEarly, errEarly)
	}
	e.explainCookie()
	e.explainCame(came)
	e.lookAt()
	e.explainHeaders()
	for _, i := range h.remembered() {
		e.wrong("before", i.do, "%s ago: %s", time.Since(i.at).Round(time.Second), i.text)
	}
	e.says("outcome", "session_outcome is %s", e.report.Outcome)
	e.dropLate()
	return explain.Passage{Steps: e.steps, Refused: e.failure, Fail: func() {
		e.forwarded.Undo()
		e.ended = true
	}}
}

// explainCookie says what the cookie is, and whether browsers take and send it here.
func (e *explanation) explainCookie() {
	e.says("cookie", "%s", e.h.cookie.Describe(e.secure))
	if why := e.refusalOf(e.h.cookie.Set(e.secure, strings.Repeat("x", maxSigned), false, time.Time{})); why != "" {
		e.wrong("cookie", "correct the option cookie of the session; over HTTPS behind a proxy, make that one of trusted_proxies", "browsers refuse it in an answer to this URL: %s", why)
	}
	if path := webpage.AsAsked(e.r).URL.Path; !e.h.cookie.Covers(path) {
		e.wrong("cookie", "path / in the option cookie", "browsers do not send it to %s: its path does not cover that", path)
	}
}

// maxSigned is the length of a signed value.
const maxSigned = 87

// explainCame says which cookies came.
func (e *explanation) explainCame(came []string) {
	ours := e.cookieName()
	other := slices.IndexFunc(came, func(name string) bool { return name != ours && slices.Contains(e.h.cookie.Names, name) })
	switch {
	case len(e.Cookies) > 0:
		e.says("came", "%d with the name %s", len(e.Cookies), ours)
	case len(came) == 0:
		e.says("came", "no cookie was given")
	case other >= 0:
		e.wrong("came", "nothing: this happens once, when a site changes between http and https", "%s came, and %s counts here", came[other], ours)
	default:
		e.wrong("came", "look in the browser whether it has that cookie for this URL", "%s did not come; there were: %s", ours, strings.Join(came, ", "))
	}
}

// lookAt looks up the cookies. The first session that is found counts, those with a successor after
// all others, and otherwise the finding that comes last in the list of findings.
func (e *explanation) lookAt() {
	h, ctx := e.h, e.r.Context()
	e.report.Outcome = findings[keep.NoCookie].name
	made := true
	if !h.format.Foreign() {
		var err error
		if made, err = h.secret.Made(ctx); err != nil {
			e.unavailableHere("key", fmt.Errorf("%s: %w", h.secretSource(), err))
			return
		}
	}
	store := strings.TrimSpace(h.storeName + " " + h.place)
	switch {
	case !made:
		e.says("key", "%s: there is none yet, it is made with the first session", h.secretSource())
	case len(e.Cookies) == 0:
		e.says("key", "from %s", h.secretSource())
	}
	if len(e.Cookies) == 0 || !made {
		if err := h.keeper.Reach(ctx); err != nil {
			e.unavailableHere("store", err)
			return
		}
		e.says("store", "%s: it can be read", store)
		if len(e.Cookies) == 0 {
			return
		}
	}
	best, valid := keep.Look{Finding: keep.Forged, Session: keep.Nobody}, 0
	for _, value := range e.Cookies {
		if !made || valid == keep.MaxCookies {
			break
		}
		look, err := h.keeper.Look(ctx, value, e.Scope, e.Browser)
		if err != nil {
			e.unavailableHere("store", err)
			return
		}
		if look.Finding > keep.Forged {
			valid++
		}
		if look.Finding > best.Finding || look.Finding == keep.Hit && best.Session.Former() && !look.Session.Former() {
			best = look
		}
		if best.Finding == keep.Hit && !best.Session.Former() {
			break // a request looks no further
		}
	}
	e.Session, e.Finding = best.Session, best.Finding
	e.report.Outcome = findings[best.Finding].name
	e.explainLook(&best, store)
}

func (e *explanation) unavailableHere(what string, err error) {
	e.unavailable, e.report.Outcome = true, outcomeUnavailable
	if e.h.OnStoreError != onErrorAnonymous {
		e.refuse(http.StatusServiceUnavailable, err)
	}
	do := lookAtLog
	if errors.Is(err, sessionstore.ErrRecord) {
		do = "this session alone cannot be used; delete its record in the store to end it"
	}
	e.wrong(what, do, "%v", err)
}

// explainLook says what the cookie that counts has led to.
func (e *explanation) explainLook(l *keep.Look, store string) {
	h := e.h
	hint := ""
	if h.format.Doubt != nil && l.Finding != keep.Hit {
		hint = h.format.Doubt(e.Cookies[0], l.Finding != keep.Forged)
	}
	if l.Finding == keep.Forged {
		e.wrong("key", cmp.Or(hint, "if the key was changed: secret <new key> <old key>. Otherwise the cookie is of another Caddy, or of another app: compare secret in the line at the start"),
			"no key has signed the cookie (keys from %s)", h.secretSource())
		return
	}
	signed := "the cookie's signature is right"
	if l.Stale {
		signed = "an older key has signed the cookie; the next response signs it anew"
	}
	e.says("key", "%s (keys from %s)", signed, h.secretSource())
	switch l.Finding {
	case keep.Unknown:
		e.wrong("record", cmp.Or(hint, "if nobody has logged out: compare store, place and key_prefix with those of the Caddy that has set the cookie"),
			"%s has no record with the ref %s: it has expired, the user has logged out, or it is in another store", store, l.Ref)
	case keep.Over:
		e.wrong("record", "compare idle_timeout, anonymous_timeout and absolute_timeout with how long users stay away",
			"%s has a record for it%s whose time is over, or that was emptied or replaced by one with a new id", store, refText(l.Ref))
	case keep.OtherScope:
		e.wrong("record", "set one scope for sites that are to share their sessions",
			"the record with the ref %s is of another site: its scope is %q, and that of this request %q", l.Ref, l.Scope, e.Scope)
	default:
		i := &l.Info
		if i.OnlyCookies || l.Closed {
			why := "its idle timeout is over"
			if !i.OnlyCookies {
				why = "the cookie " + e.cookieName() + cookie.BrowserSuffix + " did not come, as when the browser was closed"
			}
			e.says("record", "%s has it%s: %s, so the data and the user are gone, and only the lasting cookies of the vault go on", store, refText(l.Ref), why)
			return
		}
		e.says("record", "%s has it%s: user %s, %d bytes of data, created %s, expires %s", store, refText(l.Ref),
			cmp.Or(quoted(l.Session.User()), "nobody"), len(l.Session.Data()), at(l.Session.Created()), at(cmp.Or(i.Expires, l.Session.Expires())))
	}
}

func refText(ref string) string {
	if ref == "" {
		return ""
	}
	return " with the ref " + ref
}

func quoted(user string) string {
	if user == "" {
		return ""
	}
	return fmt.Sprintf("%q", user)
}

func at(t time.Time) string {
	if t.IsZero() {
		return "at an unknown time"
	}
	return t.UTC().Format(time.RFC3339)
}

// explainHeaders says what the app gets, and whether that is too much for some servers.
func (e *explanation) explainHeaders() {
	h := e.h
	e.view = e.newView()
	e.view.Logger = zap.NewNop()
	if err := e.forwardParts(); err != nil {
		e.wrong("headers", "make the session smaller, or set max_size", "the request is refused: the session cannot be forwarded: %v", err)
		e.refuse(http.StatusInternalServerError, err)
		return
	}
	_ = e.shrink()
	size, names := e.forwarded.Size(), strings.Join(e.forwarded.Names(), ", ")
	switch longest, maxSize := h.longest(); {
	case e.view.Omits > 0:
		e.wrong("headers", "make the session smaller, or raise max_headers and the limit of the app's server", "the app gets no data, as they are longer than max_headers (%d bytes): %s", h.MaxHeaders, names)
	case size > headerLimit:
		e.wrong("headers", "raise the limit of the app's server, or set max_headers", "the app gets %d bytes: %s. Many servers refuse that: the limit is 8190 bytes in gunicorn and Apache, 8192 in Tomcat", size, names)
	case longest > headerLimit && h.MaxHeaders == 0:
		e.wrong("headers", "raise the limit of the app's server, or set max_headers", "the app gets %d bytes: %s. But max_size (%d) allows headers of %d bytes, which many servers refuse (8190 in gunicorn and Apache, 8192 in Tomcat)", size, names, maxSize, longest)
	default:
		e.says("headers", "the app gets %d bytes: %s", size, names)
	}
	if h.Updates != nil && !*h.Updates {
		e.wrong("headers", "updates on, if the app is to change its session", "what the app answers is ignored: updates off")
	}
}

// Interface guard
var _ explain.Handler = (*Handler)(nil)
