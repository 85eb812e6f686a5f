package parts

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-session/caddy-session/internal/config"
	"github.com/caddy-session/caddy-session/internal/vault"
)

// VaultOption is the option vault.
func VaultOption(to *[]string) config.Option {
	return config.Words(to).Also(func() error {
		_, err := NewVault(*to, nil)
		return err
	})
}

// NewVault returns the part that keeps the cookies of these names, in which * stands for any
// characters. It never takes the cookies in own.
func NewVault(names, own []string) (*Vault, error) {
	patterns, err := vault.NewPatterns(names, own...)
	if err != nil {
		return nil, fmt.Errorf("vault: %w", err)
	}
	return &Vault{names: patterns}, nil
}

// Vault keeps cookies of the app in the session. The app gets them as a browser would send them.
type Vault struct {
	names vault.Patterns

	// AnyChange says that every change of a cookie needs a new id.
	AnyChange bool
}

// Forward implements [Part].
func (p *Vault) Forward(v *View, to *Forwarded) error {
	if !v.Session.Exists() || v.Omits >= OmitVault {
		return nil
	}
	cookies, err := v.Session.Vault()
	if err != nil {
		return err
	}
	to.Cookie(cookies.Header(p.request(v), time.Now()))
	return nil
}

// request returns the request as the browser sent it. Handlers before this one may have changed its
// path.
func (*Vault) request(v *View) vault.Request {
	r := v.Request
	original, _ := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request)
	req := vault.Request{
		Host:      v.Host,
		CrossSite: r.Header.Get("Sec-Fetch-Site") == "cross-site",
		TopLevel:  r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document",
	}
	switch original.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		req.Safe = true
	}
	req.Secure = v.Secure || vault.Local(req.Host)
	if req.Path, _, _ = strings.Cut(original.RequestURI, "?"); !strings.HasPrefix(req.Path, "/") && original.URL != nil {
		req.Path = original.URL.EscapedPath() // absolute form, or a sub-request of templates
	}
	if !strings.HasPrefix(req.Path, "/") {
		req.Path = "/"
	}
	return req
}

// Takes implements [Part]. Vault takes cookies and no header.
func (*Vault) Takes() string { return "" }

// TakesCookie implements [CookieTaker].
func (p *Vault) TakesCookie(line string) bool { return p.names.Match(vault.NameOf(line)) }

// Take implements [Part]. It ignores cookies that a browser would refuse.
func (p *Vault) Take(v *View, lines []string, a *Answer) error {
	if lines == nil {
		return nil
	}
	if v.Omits >= OmitVault {
		a.replaceSession(v)
	}
	req, now := p.request(v), time.Now()
	for _, line := range lines {
		if r, ok := vault.Receive(line, req, now); ok {
			r.NewID = p.newIDFor(v, &r, a.Redirect)
			a.Change.Vault = append(a.Change.Vault, r)
		} else {
			v.Logger.Debug("a cookie of the vault is not kept: a browser would refuse it")
		}
	}
	return nil
}

// newIDFor says when a cookie in the vault needs a new id.
func (p *Vault) newIDFor(v *View, c *vault.Received, redirect bool) vault.NewID {
	switch cookie := c.Cookie(); {
	case redirect || p.AnyChange:
		return vault.NewIDIfChanged
	case !cookie.HTTPOnly && !containsAny(cookie.Name, loginCookies):
		return vault.NewIDNever
	case v.Unplantable:
		// Laravel, Rails and others set their session cookie to a new value in every response.
		return vault.NewIDIfAdded
	default:
		return vault.NewIDIfChanged
	}
}

// Interface guards
var (
	_ Part        = (*Vault)(nil)
	_ CookieTaker = (*Vault)(nil)
)
