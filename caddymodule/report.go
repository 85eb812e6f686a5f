package caddymodule

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/caddy-session/caddy-session/caddymodule/parts"
	"github.com/caddy-session/caddy-session/internal/vault"
)

// report is what became of the session of a request, for those who ask why it is empty. It has
// names of cookies and headers and never values.
type report struct {
	parts.Report

	// ref names the session after the commit.
	ref string

	// received are the names of the client's cookies. forwarded are the names of the headers and
	// cookies that the app got, taken those of the headers that it sent back. They are only
	// collected at level DEBUG.
	received, forwarded, taken []string
}

// The decisions about the session cookie.
const (
	cookieNone     = "none"     // the client has none and gets none
	cookieKept     = "kept"     // it stays as it is
	cookieSet      = "set"      // the client gets one
	cookieDeleted  = "deleted"  // it is expired
	cookieWithheld = "withheld" // the session has ended or got a new id, so its cookie is not set
	cookieByApp    = "app"      // the app has set it
)

// The names of the fields in the access log.
const (
	refField     = "session_ref"
	outcomeField = "session_outcome"
	commitField  = "session_commit"
)

// tell adds the report to the access log, and logs it at level DEBUG.
func (x *exchange) tell() {
	x.logAccess()
	if c := x.h.logger.Check(zapcore.DebugLevel, "the session of a request"); c != nil {
		r := &x.report
		c.Write(
			zap.String("method", x.r.Method), zap.String("path", x.r.URL.Path),
			zap.String("outcome", r.Outcome), zap.String("commit", r.Commit), zap.String("ref", r.ref),
			zap.String("scope", x.Scope.String()), zap.Duration("store", r.Store),
			zap.String("cookie", r.Cookie), zap.String("cookie_name", x.cookieName()),
			zap.Int("session_cookies", len(x.Cookies)), zap.Int("valid_cookies", x.Verified),
			zap.Strings("received_cookies", r.received), zap.Strings("forwarded", r.forwarded), zap.Strings("taken", r.taken),
		)
	}
}

// logAccess adds the report to the access log, if there is one.
func (x *exchange) logAccess() {
	server, ok := x.r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if !ok || server.Logs == nil {
		return
	}
	log, ok := x.r.Context().Value(caddyhttp.ExtraLogFieldsCtxKey).(*caddyhttp.ExtraLogFields)
	if !ok {
		return
	}
	suffix := x.fieldSuffix()
	for _, field := range [...]struct{ name, value string }{
		{refField, x.report.ref}, {outcomeField, x.report.Outcome}, {commitField, x.report.Commit},
	} {
		if field.value != "" {
			log.Set(zap.String(field.name+suffix, field.value))
		}
	}
}

// fieldSuffix tells the fields of several handlers in one request apart. Those of the first one
// have no suffix. Those of the others end with the handler's name or, if a handler before it has
// the same name, with its place.
func (x *exchange) fieldSuffix() string {
	place, same := 1, false
	for o := x.outer; o != nil; o = o.outer {
		if !o.ended { // an error route begins again
			place++
			same = same || o.h.Name == x.h.Name
		}
	}
	switch {
	case place == 1:
		return ""
	case same || x.h.Name == "":
		return "_" + strconv.Itoa(place)
	default:
		return "_" + x.h.Name
	}
}

// watch measures how long the keeper takes, until stop is called, if anybody will see it.
func (x *exchange) watch() (stop func()) {
	if !x.h.debug && !x.explains {
		return func() {}
	}
	began := time.Now()
	return func() { x.report.Store += time.Since(began) }
}

// explain shows the report in a response, if the client may see it.
func (x *exchange) explain(h http.Header) {
	if x.explains && x.report.Outcome != "" {
		x.report.CookieName = x.cookieName()
		x.explained = x.h.explain.Show(&x.report.Report, h)
	}
}

// hideExplained removes the line of explain from the response, so that it does not count as the
// app's, and returns the function that puts it back.
func (x *exchange) hideExplained() (restore func()) {
	h, name := x.Header(), x.h.names.explain
	lines := h[name]
	if len(lines) != 1 || x.explained == nil || &lines[0] != &x.explained[0] {
		return func() {}
	}
	delete(h, name)
	return func() { h[name] = lines }
}

// checkCookie warns of a session cookie that browsers refuse, once for each host. They do so
// without an error, so that every request begins a new session.
func (x *exchange) checkCookie(line string) {
	x.report.Refused = x.refusalOf(line)
	if host := hostOf(x.host); x.report.Refused != "" && x.h.refusedCookies.Due(host) {
		x.h.logger.Warn("browsers refuse the session cookie, so that no session is found again",
			zap.String("host", host), zap.String("cookie", x.cookieName()), zap.String("reason", x.report.Refused))
	}
}

// refusalOf says why browsers refuse a line of Set-Cookie in a response to this request.
func (x *exchange) refusalOf(line string) string {
	host := hostOf(x.host)
	tls := x.secure || strings.EqualFold(x.r.Header.Get("X-Forwarded-Proto"), "https") // also of a proxy that is not trusted
	return vault.Refusal(line, vault.Request{Host: host, Path: "/", Secure: tls || vault.Local(host)})
}

const (
	// maxNames is the maximum number of a client's cookies in a log line, maxName the maximum
	// length of a name.
	maxNames = 20
	maxName  = 64
)

// cookieNames returns the names of the cookies in the request. A cookie without a name is left out,
// since all of it is its value.
func (x *exchange) cookieNames() (names []string) {
	if a, ok := x.vars[asideVar].(*aside); ok {
		names = slices.Sorted(maps.Keys(a.cookies))
	}
	for _, line := range x.r.Header["Cookie"] {
		for pair := range strings.SplitSeq(line, ";") {
			name, _, named := strings.Cut(strings.TrimSpace(pair), "=")
			if named && len(names) < maxNames {
				names = append(names, name[:min(len(name), maxName)])
			}
		}
	}
	return names
}

// takenNames returns the names of the headers that were taken from a response.
func (x *exchange) takenNames(t *taken) (names []string) {
	for i, lines := range t.lines {
		if name := x.h.parts[i].Takes(); len(lines) > 0 {
			if name == "" {
				name = "Set-Cookie"
			}
			names = append(names, name)
		}
	}
	return names
}
