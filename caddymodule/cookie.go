package caddymodule

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-session/caddy-session/caddymodule/dialects"
	"github.com/caddy-session/caddy-session/internal/config"
	"github.com/caddy-session/caddy-session/internal/wire"
)

// cookieJar makes and reads our cookie.
type cookieJar struct {
	names       cookieNames
	hostOnTLS   bool // over TLS, the second of the names is used
	domain      string
	path        string
	sameSite    http.SameSite
	secure      string
	httpOnly    bool
	partitioned bool
	passThrough bool
	mark        bool // the backend gets a 1 in its place
	permanent   bool
}

const (
	secureAuto = "auto"
	secureOn   = "on"
	secureOff  = "off"

	passOn   = "on"
	passOff  = "off"
	passMark = "mark"
)

func (c *Cookie) jar(handlerName string, format *dialects.Format) (cookieJar, error) {
	foreign := format.Foreign()
	j := cookieJar{
		names: c.namesIn(handlerName), domain: canonicalDomain(c.Domain), path: cmp.Or(c.Path, "/"), secure: cmp.Or(c.Secure, secureAuto),
		httpOnly: config.Or(c.HTTPOnly, true), permanent: config.Or(c.Permanent, format.Permanent || !foreign),
		partitioned: c.Partitioned, passThrough: c.PassThrough == passOn || c.PassThrough == "" && foreign, mark: c.PassThrough == passMark,
	}
	if c.Name == "" && format.CookieName != "" {
		j.names = cookieNames{format.CookieName}
	}
	switch c.SameSite {
	case "", "lax":
		j.sameSite = http.SameSiteLaxMode
	case "strict":
		j.sameSite = http.SameSiteStrictMode
	case "none":
		j.sameSite = http.SameSiteNoneMode
	}
	j.hostOnTLS = len(j.names) > 1 && j.domain == "" && j.path == "/" && j.secure != secureOff && !j.passThrough
	return j, j.check()
}

// check holds the cookie to what browsers demand (RFC 6265bis, CHIPS): they would
// drop it without a word otherwise.
func (j *cookieJar) check() error {
	return errors.Join(j.checkPrefix(), j.checkSecure())
}

func canonicalDomain(domain string) string { return strings.ToLower(strings.TrimPrefix(domain, ".")) }

func validPath(path string) bool {
	return strings.HasPrefix(path, "/") && !strings.ContainsAny(path, ";,") && printable(path)
}

func validDomain(domain string) bool {
	if len(domain) > 253 {
		return false
	}
	for label := range strings.SplitSeq(domain, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return false
		}
	}
	return true
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// set returns the Set-Cookie value that gives a client, which came over TLS or did not, the value until end, or, if
// the cookie is not permanent, until the browser closes.
func (j *cookieJar) set(secure bool, value string, permanent bool, end time.Time) string {
	c := j.bare(secure)
	c.Value = value
	if permanent {
		c.MaxAge = max(int((time.Until(end)+time.Second-1)/time.Second), 1)
	}
	return c.String()
}

// setBrowser returns the Set-Cookie value of the second cookie.
func (j *cookieJar) setBrowser(secure bool, token string) string {
	c := j.bare(secure)
	c.Name += browserSuffix
	c.Value = token
	return c.String()
}

// expire returns the Set-Cookie value that takes the cookie back, or, with its suffix, the second cookie.
func (j *cookieJar) expire(secure bool, suffix string) string {
	c := j.bare(secure)
	c.Name += suffix
	c.MaxAge = -1
	c.Expires = time.Unix(1, 0) // for browsers that do not know Max-Age
	return c.String()
}

// attributes stands for all that the cookie says beside its value and its end, as configured: what a request adds is no change.
func (j *cookieJar) attributes() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %d %s %t %t", j.names, j.domain, j.path, j.sameSite, j.secure, j.httpOnly, j.partitioned))
	return string(sum[:8])
}

func (j *cookieJar) bare(secure bool) http.Cookie {
	return http.Cookie{
		Name: j.nameFor(secure), Path: j.path, Domain: j.domain, SameSite: j.sameSite,
		HttpOnly: j.httpOnly, Partitioned: j.partitioned,
		Secure: j.secure == secureOn || j.secure == secureAuto && secure,
	}
}

func cameOverTLS(r *http.Request) bool {
	if r.TLS != nil {
		return true
	}
	trusted, _ := caddyhttp.GetVar(r.Context(), caddyhttp.TrustedProxyVarKey).(bool)
	lines := r.Header["X-Forwarded-Proto"]
	if !trusted || len(lines) == 0 {
		return false
	}
	// Of several lines, the last is the one that reverse_proxy believes and tells the backend. Proxies that make a list
	// append to it, so that its first value is what the client came by.
	proto, _, _ := strings.Cut(lines[len(lines)-1], ",")
	return strings.EqualFold(textproto.TrimString(proto), "https")
}

// take appends the values of all cookies of this one of our names to values, in their order, and returns those of the
// second cookie that goes with it. It removes the cookies of all our names from the header, except, if the backend
// gets them, those of this one. Their neighbours stay byte for byte.
func (j *cookieJar) take(h http.Header, name string, values []string) (_, browser []string) {
	wire.RemoveCookies(h, func(pair string) bool {
		found, value := wire.ParseCookie(pair)
		if found == name {
			values = append(values, value)
			return !j.passThrough
		}
		if first, second := strings.CutSuffix(found, browserSuffix); second && first == name {
			browser = append(browser, value)
		}
		return j.names.own(found)
	})
	return values, browser
}
