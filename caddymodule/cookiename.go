package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// hostPrefix begins the names of cookies that no neighbouring subdomain can plant: browsers take them only over TLS, for
// one host, and with the path /.
const hostPrefix = "__Host-"

// cookieNames are the names of our cookie: the one that is used without TLS, and behind it the one that is used with TLS, if
// there are two. Both are ours, whichever a request uses: no client's reaches the backend, no backend's the client.
type cookieNames []string

// namesIn returns the names of the cookie in a handler of this name, if it does not take the name of its dialect.
func (c *Cookie) namesIn(handlerName string) cookieNames {
	if c != nil && c.Name != "" {
		return cookieNames{c.Name}
	}
	name := "caddy_session"
	if handlerName != "" {
		name += "_" + handlerName
	}
	return cookieNames{name, hostPrefix + name}
}

// browserSuffix ends the name of a second cookie of ours. It ends with the browser, and so tells whether that was
// closed, where the other cookie outlives it for the sake of the vault alone. It is as much ours as the other.
const browserSuffix = "_browser"

// own reports whether a cookie of this name is ours.
func (n cookieNames) own(name string) bool {
	first, second := strings.CutSuffix(name, browserSuffix)
	return slices.Contains(n, name) || second && slices.Contains(n, first)
}

// all are the names of all cookies that are ours.
func (n cookieNames) all() []string {
	all := slices.Clone(n)
	for _, name := range n {
		all = append(all, name+browserSuffix)
	}
	return all
}

// meet reports whether a cookie could be that of both handlers.
func (n cookieNames) meet(other cookieNames) bool {
	return slices.ContainsFunc(n, other.own) || slices.ContainsFunc(other, n.own)
}

// nameFor returns the name that requests use which came over TLS, or did not.
func (j *cookieJar) nameFor(secure bool) string {
	if secure && j.hostOnTLS {
		return j.names[1]
	}
	return j.names[0]
}

// cookieName is the name that counts in this request: a cookie of our other name says nothing.
func (x *exchange) cookieName() string { return x.h.cookie.nameFor(x.secure) }

// cannotBePlanted reports whether our cookie in this request is one that no other host can have set.
func (x *exchange) cannotBePlanted() bool { return hasPrefixFold(x.cookieName(), hostPrefix) }

// isSecure reports whether the client came over TLS. A sub-request of templates does not say; there,
// a cookie tells that browsers send only over TLS.
func (h *Handler) isSecure(r *http.Request, virtual bool) bool {
	if !virtual || !h.cookie.hostOnTLS || cameOverTLS(r) {
		return cameOverTLS(r)
	}
	name := h.cookie.names[1]
	return asideOf(r).cookies[name] != nil ||
		slices.ContainsFunc(r.Header["Cookie"], func(line string) bool { return strings.Contains(line, name+"=") })
}

// checkPrefix holds the cookie to what browsers demand of names with a prefix, in any case (RFC 6265bis, section 5.7).
func (j *cookieJar) checkPrefix() error {
	name := j.names[0]
	host := hasPrefixFold(name, hostPrefix)
	scripts := hasPrefixFold(name, "__Http-") || hasPrefixFold(name, "__Host-Http-")
	switch {
	case !host && !scripts && !hasPrefixFold(name, "__Secure-"):
		return nil
	case j.secure != secureOn:
		return fmt.Errorf("cookie name: browsers take %s only with: secure on", name)
	case scripts && !j.httpOnly:
		return fmt.Errorf("cookie name: browsers take %s only with: http_only on", name)
	case host && (j.domain != "" || j.path != "/"):
		return fmt.Errorf("cookie name: browsers take %s only without a domain, and with path /", name)
	}
	return nil
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// checkSecure holds the attributes to what browsers demand of cookies that are not Secure.
func (j *cookieJar) checkSecure() error {
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
