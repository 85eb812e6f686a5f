package cookie

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// HostPrefix is the prefix of cookies that no neighbouring subdomain can plant: browsers accept
// them only over TLS, for one host, with the path /.
const HostPrefix = "__Host-"

// Names are the names of the session cookie: without TLS and, if there are two, with TLS. Both are
// reserved, whichever one a request uses: the app gets neither of them from a client, and the
// client gets neither from the app.
type Names []string

// NamesIn returns the names of the cookie in a handler with this name, unless the dialect defines
// the name.
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

// BrowserSuffix is the suffix of the second session cookie. The session cookie outlives the browser
// if the vault holds a cookie that lasts. The second one ends with the browser, and so shows
// whether the browser was closed.
const BrowserSuffix = "_browser"

// Own reports whether a cookie of this name is a session cookie.
func (n Names) Own(name string) bool {
	first, second := strings.CutSuffix(name, BrowserSuffix)
	return slices.Contains(n, name) || second && slices.Contains(n, first)
}

// All returns the names of all session cookies.
func (n Names) All() []string {
	all := slices.Clone(n)
	for _, name := range n {
		all = append(all, name+BrowserSuffix)
	}
	return all
}

// Meet reports whether the names of two handlers overlap.
func (n Names) Meet(other Names) bool {
	return slices.ContainsFunc(n, other.Own) || slices.ContainsFunc(other, n.Own)
}

// NameFor returns the name for requests with or without TLS.
func (j *Jar) NameFor(secure bool) string {
	if secure && j.HostOnTLS {
		return j.Names[1]
	}
	return j.Names[0]
}

// checkPrefix checks what browsers demand of names with a prefix, in any case (RFC 6265bis, section
// 5.7).
func (j *Jar) checkPrefix() error {
	name := j.Names[0]
	host := HasPrefix(name, HostPrefix)
	scripts := HasPrefix(name, "__Http-") || HasPrefix(name, "__Host-Http-")
	switch {
	case !host && !scripts && !HasPrefix(name, "__Secure-"):
		return nil
	case j.secure != secureOn:
		return fmt.Errorf("cookie name: browsers accept %s only with: secure on", name)
	case scripts && !j.httpOnly:
		return fmt.Errorf("cookie name: browsers accept %s only with: http_only on", name)
	case host && (j.Domain != "" || j.path != "/"):
		return fmt.Errorf("cookie name: browsers accept %s only without a domain and with path /", name)
	}
	return nil
}

// HasPrefix reports whether s begins with prefix, in any case.
func HasPrefix(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// checkSecure checks what browsers demand of cookies that are not Secure.
func (j *Jar) checkSecure() error {
	switch {
	case j.secure == secureOn:
		return nil
	case j.sameSite == http.SameSiteNoneMode:
		return errors.New("cookie same_site: browsers accept none only with: secure on")
	case j.partitioned:
		return errors.New("cookie partitioned: browsers accept it only with: secure on")
	}
	return nil
}
