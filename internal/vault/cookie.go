package vault

import (
	"strings"
	"time"
)

// Cookie is a cookie as a browser keeps it (section 5.7). Its name, domain, HostOnly and path
// identify it. A vault holds cookies in the order of their creation.
type Cookie struct {
	// Name is empty for a cookie that has only a value.
	Name  string
	Value string

	// Domain is a domain or an address, in lower case. HostOnly says that only this host gets the
	// cookie. Otherwise, all hosts below the domain get it too.
	Domain   string
	HostOnly bool

	// Path begins with a slash.
	Path string

	Secure   bool
	HTTPOnly bool
	SameSite SameSite

	// Expires is when the cookie ends, to the millisecond. The zero value means that it ends with
	// the session.
	Expires time.Time
}

// Received is a cookie that a response sets, or deletes by setting an expired one. It does not
// depend on a vault, so it can be applied to any.
type Received struct {
	// NewID says when the session needs a new id because of the cookie.
	NewID NewID

	cookie Cookie

	// insecure says that the request was not secure.
	insecure bool
}

// Cookie returns the cookie that is kept.
func (r *Received) Cookie() Cookie { return r.cookie }

// NewID says when the session needs a new id because a cookie is set. The cookie may be that of a
// login, and an attacker who knows the old id must not get it.
type NewID uint8

// The values of NewID. A cookie that is deleted, or set again with its present value, never needs a
// new id.
const (
	// NewIDNever is the zero value.
	NewIDNever NewID = iota
	// NewIDIfAdded means: if there is no such cookie.
	NewIDIfAdded
	// NewIDIfChanged means: if there is none, or one with another value.
	NewIDIfChanged
)

// callsForNewID reports whether the cookie, which was set when before became next, needs a new id.
func (r *Received) callsForNewID(before, next *Vault) bool {
	i := next.index(&r.cookie)
	if i < 0 || next.cookies[i].Value != r.cookie.Value {
		return false // it was ignored, or overwritten by the same response
	}
	if was := before.index(&r.cookie); was >= 0 {
		return r.NewID >= NewIDIfChanged && before.cookies[was].Value != r.cookie.Value
	}
	return r.NewID >= NewIDIfAdded
}

// NameOf returns the name of the cookie in the value of a Set-Cookie line, even if it is not kept.
func NameOf(line string) string {
	pair, _, _ := strings.Cut(line, ";")
	name, _ := split(pair)
	if !strings.Contains(pair, "=") {
		return ""
	}
	return name
}

// Receive reads the value of a Set-Cookie line of the response to req. It reports false if every
// browser would ignore the line.
func Receive(line string, req Request, now time.Time) (Received, bool) {
	set, ok := parse(line)
	if !ok {
		return Received{}, false
	}
	c := Cookie{
		Name: set.name, Value: set.value, Path: set.path,
		Secure: set.secure, HTTPOnly: set.httpOnly, SameSite: set.sameSite,
	}
	if c.Path == "" {
		c.Path = defaultPath(req.Path)
	}
	if c.Domain, c.HostOnly, ok = scope(set.domain, req.Host); !ok {
		return Received{}, false
	}
	switch {
	case set.hasMaxAge && set.maxAge <= 0:
		c.Expires = time.UnixMilli(0)
	case set.hasMaxAge:
		c.Expires = now.Add(set.maxAge)
	case set.hasExpires:
		c.Expires = set.expires
	}
	if latest := now.Add(maxAge); c.Expires.After(latest) {
		c.Expires = latest
	}
	if !c.Expires.IsZero() {
		c.Expires = time.UnixMilli(c.Expires.UnixMilli())
	}
	if !allowed(&c, &set, &req) {
		return Received{}, false
	}
	return Received{cookie: c, insecure: !req.Secure}, true
}

// scope returns which hosts get a cookie with this attribute Domain, which may be empty (section
// 5.7, steps 8 to 10).
func scope(domain, host string) (_ string, hostOnly, ok bool) {
	if strings.Contains(host, ":") {
		domain = strings.Trim(domain, "[]")
	}
	switch {
	case domain == "":
		return host, true, host != ""
	case !ascii(domain):
		return "", false, false
	case domain == host && isPublicSuffix(domain):
		return host, true, true
	case isPublicSuffix(domain) || !domainMatches(host, domain):
		return "", false, false
	default:
		return domain, false, true
	}
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// allowed checks the steps 13 and 18 to 22 of section 5.7.
func allowed(c *Cookie, set *setCookie, req *Request) bool {
	switch {
	case c.Secure && !req.Secure:
		return false
	case c.SameSite != SameSiteNone && req.CrossSite && !req.TopLevel:
		return false
	case c.SameSite == SameSiteNone && !c.Secure:
		return false
	case hasPrefix(c.Name, securePrefix):
		return c.Secure
	case hasPrefix(c.Name, hostPrefix):
		return c.Secure && c.HostOnly && set.hasPath && c.Path == "/"
	case c.Name == "":
		// It would be sent as if it had such a name. The sign is Chromium's addition, which section
		// 5.3 allows: "=a=b" would be sent as a cookie "a".
		return !hasPrefix(c.Value, securePrefix) && !hasPrefix(c.Value, hostPrefix) && !strings.Contains(c.Value, "=")
	}
	return true
}

const (
	securePrefix = "__secure-"
	hostPrefix   = "__host-"
)

// hasPrefix finds prefixes in upper and lower case, since servers may not care (section 5.4).
func hasPrefix(name, prefix string) bool {
	return len(name) >= len(prefix) && lower(name[:len(prefix)]) == prefix
}

// expired reports whether the cookie has ended.
func (c *Cookie) expired(now time.Time) bool {
	return !c.Expires.IsZero() && !c.Expires.After(now)
}

// same reports whether two cookies have the same identity (section 5.7, step 23).
func (c *Cookie) same(d *Cookie) bool {
	return c.Name == d.Name && c.Path == d.Path && c.Domain == d.Domain && c.HostOnly == d.HostOnly
}

// goesWith reports whether the cookie is added to a request (section 5.8.3). Only HTTP requests get
// cookies of a vault, so HTTPOnly does not matter.
func (c *Cookie) goesWith(req *Request) bool {
	if c.HostOnly && c.Domain != req.Host || !domainMatches(req.Host, c.Domain) ||
		!pathMatches(req.Path, c.Path) || c.Secure && !req.Secure {
		return false
	}
	if c.SameSite == SameSiteNone || !req.CrossSite {
		return true
	}
	return c.SameSite != SameSiteStrict && req.TopLevel && req.Safe
}
