package securecookie

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-session/caddy-session/caddymodule/dialects"
	"github.com/caddy-session/caddy-session/internal/config"
)

func init() { caddy.RegisterModule(new(Dialect)) }

// Dialect shares the sessions of a Flask app that keeps them in its own signed cookie. There is no
// store: the browser can read the data, and parallel changes overwrite each other. New cookies have
// the form of Flask 1.0 and later.
type Dialect struct {
	// The app's SECRET_KEY, which signs the cookie, then its SECRET_KEY_FALLBACKS, which only
	// verify. Placeholders such as {env.*} and {file.*} work.
	Secret []string `json:"secret,omitempty"`

	// How long a session lives after its cookie was last set: the app's PERMANENT_SESSION_LIFETIME.
	// Default: 744h (31 days)
	Lifetime caddy.Duration `json:"lifetime,omitempty"`

	// Whether the cookies of new sessions outlive the browser. Default: false
	Permanent bool `json:"permanent,omitempty"`

	signer *Signer
}

// CaddyModule returns the Caddy module information.
func (*Dialect) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.session.dialects.flask", New: func() caddy.Module { return new(Dialect) }}
}

// Provision implements [caddy.Provisioner].
func (f *Dialect) Provision(caddy.Context) error {
	if err := f.block().Check(); err != nil {
		return fmt.Errorf("dialect flask: %w", err)
	}
	secrets, err := dialects.Secrets(f.Secret)
	if err == nil {
		f.signer, err = NewSigner(secrets...)
	}
	if err != nil {
		return fmt.Errorf("dialect flask: %w", err)
	}
	return nil
}

// CookieName implements [dialects.Shared].
func (*Dialect) CookieName() string { return DefaultName }

// Format implements [dialects.Dialect].
func (f *Dialect) Format() dialects.Format {
	return dialects.Format{
		Codec: Codec{}, Client: f.signer, CookieName: DefaultName, Permanent: f.Permanent, Doubt: doubt,
		Lifetime: cmp.Or(time.Duration(f.Lifetime), DefaultLifetime),
	}
}

// signatureLen is the length of an HMAC-SHA1 in base64url.
const signatureLen = 27

// doubt says that the app's secret is probably another one.
func doubt(cookie string, verified bool) string {
	if verified || strings.Count(cookie, ".") < 2 || len(cookie)-strings.LastIndexByte(cookie, '.')-1 != signatureLen {
		return ""
	}
	return "its signature is wrong: set secret to the app's SECRET_KEY"
}

// UnmarshalCaddyfile sets up the dialect from Caddyfile tokens. Syntax:
//
//	dialect flask {
//		secret    <key> [<fall-back key>...]
//		lifetime  <duration>
//		permanent on | off
//	}
func (f *Dialect) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	return f.block().Unmarshal(d, "dialect flask")
}

func (f *Dialect) block() config.Options {
	return config.Options{
		"secret":    config.Words(&f.Secret),
		"lifetime":  config.Seconds(&f.Lifetime),
		"permanent": config.OnOff(&f.Permanent),
	}
}

// Interface guards
var (
	_ dialects.Dialect      = (*Dialect)(nil)
	_ caddy.Provisioner     = (*Dialect)(nil)
	_ caddyfile.Unmarshaler = (*Dialect)(nil)
)
