package cookie

import (
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/caddy-session/caddy-session/internal/config"
)

// Options are how the browser keeps the session's id. When a new configuration changes what is here, but for permanent and
// pass_through, the next response to a client with a session sets the cookie again.
type Options struct {
	// Default: caddy_session, or caddy_session_name with a name. For requests that came over TLS it has __Host- in front,
	// unless there is a domain, another path, secure off, pass_through or a dialect with a name of its own
	Name string `json:"name,omitempty"`

	// The domain that shares the cookie with its subdomains. Default: none, the host alone gets it
	Domain string `json:"domain,omitempty"`

	// Default: /
	Path string `json:"path,omitempty"`

	// lax, strict or none. Default: lax
	SameSite string `json:"same_site,omitempty"`

	// auto (as the request came, or as a trusted proxy says that it came), on or off. Default: auto
	Secure string `json:"secure,omitempty"`

	// Whether scripts are kept from the cookie. Default: true
	HTTPOnly *bool `json:"http_only,omitempty"`

	// Whether the cookie is kept apart for each top-level site (CHIPS). Default: false
	Partitioned bool `json:"partitioned,omitempty"`

	// Whether the backend gets the cookie too, and may set it: on or off. mark: it gets the cookie's name with the value 1 while there
	// is a session, so that a cache in between sees that. Default: off; on with a shared dialect
	PassThrough string `json:"pass_through,omitempty"`

	// Whether the cookie outlives the browser. Default: true, and false with vault or adopt; with a shared dialect, what that says
	Permanent *bool `json:"permanent,omitempty"`
}

const (
	secureAuto = "auto"
	secureOn   = "on"
	secureOff  = "off"

	PassOn   = "on"
	passOff  = "off"
	passMark = "mark"
)

// Block are the options, for the Caddyfile and for what is in JSON.
func (c *Options) Block() config.Options {
	return config.Options{
		"name":         config.Matching(&c.Name, "a cookie's name", httpguts.ValidHeaderFieldName),
		"domain":       config.Matching(&c.Domain, "a domain name", func(text string) bool { return validDomain(canonicalDomain(text)) }),
		"path":         config.Matching(&c.Path, "a path that begins with / and holds no semicolon or comma", validPath),
		"same_site":    config.OneOf(&c.SameSite, "lax", "strict", "none"),
		"secure":       config.OneOf(&c.Secure, secureAuto, secureOn, secureOff),
		"http_only":    config.Given(&c.HTTPOnly, config.OnOff),
		"partitioned":  config.OnOff(&c.Partitioned),
		"pass_through": config.OneOf(&c.PassThrough, PassOn, passOff, passMark),
		"permanent":    config.Given(&c.Permanent, config.OnOff),
	}
}

func canonicalDomain(domain string) string { return strings.ToLower(strings.TrimPrefix(domain, ".")) }

func validPath(path string) bool {
	return strings.HasPrefix(path, "/") && !strings.ContainsAny(path, ";,") && Printable(path)
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

// Printable reports whether a text holds printable ASCII characters only.
func Printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
