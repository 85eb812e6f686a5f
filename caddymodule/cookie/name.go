package cookie

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// HostPrefix begins the names of cookies that no neighbouring subdomain can plant: browsers take them only over TLS, for
// one host, and with the path /.
const HostPrefix = "__Host-"

// Names are the names of our cookie: the one that is used without TLS, and behind it the one that is used with TLS, if
// there are two. Both are ours, whichever a request uses: no client's reaches the backend, no backend's the client.
type Names []string

// NamesIn returns the names of the cookie in a handler of this name, if it does not take the name of its dialect.
func (c *Options) NamesIn(handlerName string) Names {
	if c != nil && c.Name != "" {
		return Names{c.Name}
	}
	name := "caddy_session"
	if handlerName != "" {
		name += "_" + handlerName
	}
	return Names{name, HostPrefix + name}
}

// BrowserSuffix ends the name of a second cookie of ours. It ends with the browser, and so tells whether that was
// closed, where the other cookie outlives it for the sake of the vault alone. It is as much ours as the other.
const BrowserSuffix = "_browser"

// Own reports whether a cookie of this name is ours.
func (n Names) Own(name string) bool {
	first, second := strings.CutSuffix(name, BrowserSuffix)
	return slices.Contains(n, name) || second && slices.Contains(n, first)
}

// All are the names of all cookies that are ours.
func (n Names) All() []string {
	all := slices.Clone(n)
	for _, name := range n {
		all = append(all, name+BrowserSuffix)
	}
	return all
}

// Meet reports whether a cookie could be that of both handlers.
func (n Names) Meet(other Names) bool {
	return slices.ContainsFunc(n, other.Own) || slices.ContainsFunc(other, n.Own)
}

// NameFor returns the name that requests use which came over TLS, or did not.
func (j *Jar) NameFor(secure bool) string {
	if secure && j.HostOnTLS {
		return j.Names[1]
	}
	return j.Names[0]
}

// checkPrefix holds the cookie to what browsers demand of names with a prefix, in any case (RFC 6265bis, section 5.7).
func (j *Jar) checkPrefix() error {
	name := j.Names[0]
	host := HasPrefix(name, HostPrefix)
	scripts := HasPrefix(name, "__Http-") || HasPrefix(name, "__Host-Http-")
	switch {
	case !host && !scripts && !HasPrefix(name, "__Secure-"):
		return nil
	case j.secure != secureOn:
		return fmt.Errorf("cookie name: browsers take %s only with: secure on", name)
	case scripts && !j.httpOnly:
		return fmt.Errorf("cookie name: browsers take %s only with: http_only on", name)
	case host && (j.Domain != "" || j.path != "/"):
		return fmt.Errorf("cookie name: browsers take %s only without a domain, and with path /", name)
	}
	return nil
}

// HasPrefix reports whether a name begins so, in any case.
func HasPrefix(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// checkSecure holds the attributes to what browsers demand of cookies that are not Secure.
func (j *Jar) checkSecure() error {
	switch {
	case j.secure == secureOn:
		return nil
	case j.sameSite == http.SameSiteNoneMode:
		return errors.New("cookie same_site: browsers take none only with: secure on")
	case j.partitioned:
		return errors.New("cookie partitioned: browsers take it only with: secure on")
	}
	return nil
}
