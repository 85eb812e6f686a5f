package vault

import (
	"net/netip"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// Request is the part of a request that decides which cookies it gets, and which its response may
// set. It is the request as the client sent it, even if handlers have changed it since.
type Request struct {
	// Host is the host that the client named, in lower case, without a port, and without brackets
	// if it is an IPv6 address.
	Host string

	// Path is the path in the request line, percent-encoded as the client sent it.
	Path string

	// Secure says that the client came over TLS, or from the same machine: see [Local].
	Secure bool

	// CrossSite says that another site has caused the request. Browsers say that in Sec-Fetch-Site.
	// Without that header, it is false, and only the SameSite of the session cookie counts.
	CrossSite bool

	// TopLevel says that the request is for a page in a window of its own, not for a part of
	// another page.
	TopLevel bool

	// Safe says that the method is safe: GET, HEAD, OPTIONS or TRACE.
	Safe bool
}

// Local reports whether a host is the browser's own machine. Browsers accept Secure cookies from it
// without TLS.
func Local(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// domainMatches is the algorithm of section 5.1.3.
func domainMatches(host, domain string) bool {
	if host == domain {
		return true
	}
	rest, found := strings.CutSuffix(host, domain)
	if !found || !strings.HasSuffix(rest, ".") {
		return false
	}
	_, err := netip.ParseAddr(host)
	return err != nil // a part of an address is no domain
}

// isPublicSuffix reports whether strangers share a domain, such as "co.uk". They would get a cookie
// for it.
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

// pathMatches is the algorithm of section 5.1.4. cookie is a cookie's path, which begins with a
// slash.
func pathMatches(path, cookie string) bool {
	rest, found := strings.CutPrefix(path, cookie)
	return found && (rest == "" || rest[0] == '/' || strings.HasSuffix(cookie, "/"))
}
