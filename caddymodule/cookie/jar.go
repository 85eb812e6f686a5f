// Package cookie is the session cookie: its options, its names, and how it is set and read.
package cookie

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

// Jar sets and reads the session cookie.
type Jar struct {
	Names Names

	// HostOnTLS says that over TLS the cookie has the second name, with __Host-.
	HostOnTLS bool

	Domain string

	// PassThrough says that the app gets the cookie too. Mark says that the app gets the name with
	// the value 1 instead.
	PassThrough, Mark bool

	// Permanent says that the cookies of new sessions outlive the browser.
	Permanent bool

	path        string
	sameSite    http.SameSite
	secure      string
	httpOnly    bool
	partitioned bool
}

// Jar returns the cookie of a handler with this name. An error says which attributes browsers would
// refuse.
func (c *Options) Jar(handlerName string, format *dialects.Format) (Jar, error) {
	foreign := format.Foreign()
	j := Jar{
		Names: c.NamesIn(handlerName), Domain: canonicalDomain(c.Domain), path: cmp.Or(c.Path, "/"), secure: cmp.Or(c.Secure, secureAuto),
		httpOnly: config.Or(c.HTTPOnly, true), Permanent: config.Or(c.Permanent, format.Permanent || !foreign),
		partitioned: c.Partitioned, PassThrough: c.PassThrough == PassOn || c.PassThrough == "" && foreign, Mark: c.PassThrough == passMark,
	}
	if c.Name == "" && format.CookieName != "" {
		j.Names = Names{format.CookieName}
	}
	switch c.SameSite {
	case "", "lax":
		j.sameSite = http.SameSiteLaxMode
	case "strict":
		j.sameSite = http.SameSiteStrictMode
	case "none":
		j.sameSite = http.SameSiteNoneMode
	}
	j.HostOnTLS = len(j.Names) > 1 && j.Domain == "" && j.path == "/" && j.secure != secureOff && !j.PassThrough
	return j, j.check()
}

// check refuses attributes that browsers refuse (RFC 6265bis, CHIPS). They would ignore the cookie
// without an error.
func (j *Jar) check() error {
	return errors.Join(j.checkPrefix(), j.checkSecure())
}

// maxAge is how long browsers keep a cookie at most, in seconds: 400 days (RFC 6265bis, section
// 5.5).
const maxAge = 400 * 24 * 60 * 60

// Set returns the Set-Cookie value for a client that used TLS or not. A permanent cookie lasts
// until end, at most 400 days. Any other lasts until the browser closes.
func (j *Jar) Set(secure bool, value string, permanent bool, end time.Time) string {
	c := j.bare(secure)
	c.Value = value
	if permanent {
		left := min(time.Until(end), maxAge*time.Second)
		c.MaxAge = max(int((left+time.Second-1)/time.Second), 1)
	}
	return c.String()
}

// SetBrowser returns the Set-Cookie value of the second cookie.
func (j *Jar) SetBrowser(secure bool, token string) string {
	c := j.bare(secure)
	c.Name += BrowserSuffix
	c.Value = token
	return c.String()
}

// Expire returns the Set-Cookie value that deletes the cookie or, with its suffix, the second
// cookie.
func (j *Jar) Expire(secure bool, suffix string) string {
	c := j.bare(secure)
	c.Name += suffix
	c.MaxAge = -1
	c.Expires = time.Unix(1, 0) // for browsers without Max-Age
	return c.String()
}

// Describe returns the name and the attributes of the cookie, for logs. It does not depend on a
// session, so it has no Max-Age.
func (j *Jar) Describe(secure bool) string {
	c := j.bare(secure)
	return strings.Replace(c.String(), "=;", ";", 1)
}

// Covers reports whether browsers send the cookie to a path (RFC 6265bis, section 5.1.4).
func (j *Jar) Covers(path string) bool {
	rest, below := strings.CutPrefix(path, j.path)
	return below && (rest == "" || rest[0] == '/' || strings.HasSuffix(j.path, "/"))
}

// Attributes returns a hash of the configured names and attributes. It does not depend on the
// request.
func (j *Jar) Attributes() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %d %s %t %t", j.Names, j.Domain, j.path, j.sameSite, j.secure, j.httpOnly, j.partitioned))
	return string(sum[:8])
}

func (j *Jar) bare(secure bool) http.Cookie {
	return http.Cookie{
		Name: j.NameFor(secure), Path: j.path, Domain: j.Domain, SameSite: j.sameSite,
		HttpOnly: j.httpOnly, Partitioned: j.partitioned,
		Secure: j.secure == secureOn || j.secure == secureAuto && secure,
	}
}

// OverTLS reports whether the client used TLS, to Caddy or to a trusted proxy before it that says
// so.
func OverTLS(r *http.Request) bool {
	if r.TLS != nil {
		return true
	}
	trusted, _ := caddyhttp.GetVar(r.Context(), caddyhttp.TrustedProxyVarKey).(bool)
	lines := r.Header["X-Forwarded-Proto"]
	if !trusted || len(lines) == 0 {
		return false
	}
	// reverse_proxy uses and forwards the last of several lines. Proxies that make a list append to
	// it, so its first value is what the client used.
	proto, _, _ := strings.Cut(lines[len(lines)-1], ",")
	return strings.EqualFold(textproto.TrimString(proto), "https")
}

// Take returns the values of all cookies of this name, in their order, and those of the second
// cookie. It removes the cookies of all names of the session cookie from the header. If the app
// gets the session cookie, those of this name stay. Other cookies stay byte for byte.
func (j *Jar) Take(h http.Header, name string) (values, browser []string) {
	wire.RemoveCookies(h, func(pair string) bool {
		found, value := wire.ParseCookie(pair)
		if found == name {
			values = append(values, value)
			return !j.PassThrough
		}
		if first, second := strings.CutSuffix(found, BrowserSuffix); second && first == name {
			browser = append(browser, value)
		}
		return j.Names.Own(found)
	})
	return values, browser
}
