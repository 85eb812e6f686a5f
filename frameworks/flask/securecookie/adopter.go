package securecookie

import (
	"cmp"
	"fmt"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-session/caddy-session/caddymodule/adopters"
	"github.com/caddy-session/caddy-session/caddymodule/dialects"
	"github.com/caddy-session/caddy-session/internal/config"
)

func init() { caddy.RegisterModule(new(Adopter)) }

// Adopter adopts the sessions of a Flask app that keeps them in its own signed cookie. The app
// stays unchanged: the proxy gives it that cookie, made from the session, and puts into the session
// what the app changes in it. The browser never gets the app's cookie.
type Adopter struct {
	// The app's SECRET_KEY, which signs the cookie, then its SECRET_KEY_FALLBACKS, which only
	// verify. Placeholders such as {env.*} and {file.*} work.
	Secret []string `json:"secret,omitempty"`

	// The name of the app's cookie: its SESSION_COOKIE_NAME. Default: session
	Cookie string `json:"cookie,omitempty"`

	signer *Signer
}

// CaddyModule returns the Caddy module information.
func (*Adopter) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.session.adopters.flask", New: func() caddy.Module { return new(Adopter) }}
}

// Provision implements [caddy.Provisioner].
func (a *Adopter) Provision(caddy.Context) error {
	if err := a.block().Check(); err != nil {
		return fmt.Errorf("adopt flask: %w", err)
	}
	secrets, err := dialects.Secrets(a.Secret)
	if err == nil {
		a.signer, err = NewSigner(secrets...)
	}
	if err != nil {
		return fmt.Errorf("adopt flask: %w", err)
	}
	return nil
}

// CookieName implements [adopters.Adopter].
func (a *Adopter) CookieName() string { return cmp.Or(a.Cookie, DefaultName) }

// Form implements [adopters.Adopter].
func (a *Adopter) Form() adopters.Form {
	return adopters.Form{Codec: Codec{}, Client: a.signer, Atom: isTagged, Check: check}
}

// UnmarshalCaddyfile sets up the adopter from Caddyfile tokens. Syntax:
//
//	adopt flask {
//		secret <key> [<fall-back key>...]
//		cookie <name>
//	}
func (a *Adopter) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	return a.block().Unmarshal(d, "adopt flask")
}

func (a *Adopter) block() config.Options {
	return config.Options{
		"secret": config.Words(&a.Secret),
		"cookie": config.Name(&a.Cookie),
	}
}

// Interface guards
var (
	_ adopters.Adopter      = (*Adopter)(nil)
	_ caddy.Provisioner     = (*Adopter)(nil)
	_ caddyfile.Unmarshaler = (*Adopter)(nil)
)
