package cookie

import (
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/caddy-session/caddy-session/internal/config"
)

// Options are the attributes of the session cookie. If a new configuration changes them, except
// permanent and pass_through, the next response to a client with a session sets the cookie again.
type Options struct {
	// The name of the cookie. Default: caddy_session, or caddy_session_<name> with a name. Over TLS
	// it begins with __Host-, except with a domain, another path, secure off, pass_through on or a
	// dialect that defines the name
	Name string `json:"name,omitempty"`

	// The domain whose subdomains get the cookie too. Default: none, only the host gets it
	Domain string `json:"domain,omitempty"`

	// The path below which browsers send the cookie. Default: /
	Path string `json:"path,omitempty"`

	// Whether browsers send the cookie with requests from other sites: lax, strict or none.
	// Default: lax
	SameSite string `json:"same_site,omitempty"`

	// The attribute Secure: auto (if the client used TLS, to Caddy or to a trusted proxy that says
	// so), on or off. Default: auto
	Secure string `json:"secure,omitempty"`

	// Whether the cookie is hidden from scripts. Default: true
	HTTPOnly *bool `json:"http_only,omitempty"`

	// Whether browsers keep a separate cookie for each top-level site (CHIPS). Default: false
	Partitioned bool `json:"partitioned,omitempty"`

	// Whether the app gets the cookie too, and may set it: on or off. With mark, the app gets the
	// cookie's name with the value 1 while there is a session, for a cache between Caddy and the
	// app. Default: off; on with the dialect of an app
	PassThrough string `json:"pass_through,omitempty"`

	// Whether the cookie outlives the browser. Default: true; false with vault or adopt; with the
	// dialect of an app, what its block says
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

// Block returns the options. The Caddyfile and the JSON configuration are checked by them.
func (c *Options) Block() config.Options {
	return config.Options{
		"name":         config.Matching(&c.Name, "a cookie name", httpguts.ValidHeaderFieldName),
		"domain":       config.Matching(&c.Domain, "a domain name", func(text string) bool { return validDomain(canonicalDomain(text)) }),
		"path":         config.Matching(&c.Path, "a path that begins with / and holds no semicolon, comma or brace (placeholders do not work here)", validPath),
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
	return strings.HasPrefix(path, "/") && !strings.ContainsAny(path, ";,{}") && Printable(path)
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

// Printable reports whether a text has only printable ASCII characters.
func Printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
