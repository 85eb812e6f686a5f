package vault

import (
	"net/netip"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// Request is what decides which cookies it carries, and which its response may set: the request as
// the client made it, whatever handlers behind have made of it.
type Request struct {
	// Host is the host that the client named, in lower case, without a port, and without brackets
	// if it is an IPv6 address.
	Host string

	// Path is the path as it stands in the request line, percent-encoded as the client had it.
	Path string

	// Secure says that the client came over TLS, or from the same machine: see [Local].
	Secure bool

	// CrossSite says that another site has made the client send the request, which browsers tell in
	// Sec-Fetch-Site. Where nobody tells, it is false: the client then sends the cookie that leads
	// to the vault by its own attribute SameSite alone.
	CrossSite bool

	// TopLevel says that the request is for a page in a window of its own, and not for a part of
	// another page.
	TopLevel bool

	// Safe says that the method is safe: GET, HEAD, OPTIONS or TRACE.
	Safe bool
}

// Local reports whether browsers take a host for their own machine. They accept Secure cookies from
// it without TLS.
func Local(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// domainMatches is section 5.1.3.
func domainMatches(host, domain string) bool {
	if host == domain {
		return true
	}
	rest, found := strings.CutSuffix(host, domain)
	if !found || !strings.HasSuffix(rest, ".") {
		return false
	}
	_, err := netip.ParseAddr(host)
	return err != nil // parts of an address are no domains
}

// isPublicSuffix reports whether a domain is shared by all below it, as "co.uk" is: a cookie for it
// would go to strangers.
func isPublicSuffix(domain string) bool {
	suffix, _ := publicsuffix.PublicSuffix(domain)
	return suffix == domain
}

// defaultPath is the path of a cookie that does not name one (section 5.1.4).
func defaultPath(path string) string {
	if i := strings.LastIndexByte(path, '/'); i > 0 && path[0] == '/' {
		return path[:i]
	}
	return "/"
}

// pathMatches is section 5.1.4. cookie is a cookie's path, and begins with a slash.
func pathMatches(path, cookie string) bool {
	rest, found := strings.CutPrefix(path, cookie)
	return found && (rest == "" || rest[0] == '/' || strings.HasSuffix(cookie, "/"))
}
