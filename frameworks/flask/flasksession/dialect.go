package flasksession

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-session/caddy-session/caddymodule/dialects"
	"github.com/caddy-session/caddy-session/frameworks/flask/securecookie"
	"github.com/caddy-session/caddy-session/internal/config"
	"github.com/caddy-session/caddy-session/signer"
)

func init() { caddy.RegisterModule(new(Dialect)) }

// salt is the salt of Flask-Session's signed cookies.
const salt = "flask-session"

// Dialect shares the sessions of a Flask app that uses Flask-Session 0.3 to 0.8, in place: the
// store is the app's.
type Dialect struct {
	// The app's SECRET_KEY, which signs the cookie, then former keys, which only verify. Needs
	// use_signer. Placeholders such as {env.*} and {file.*} work.
	Secret []string `json:"secret,omitempty"`

	// Whether the cookie is signed: the app's SESSION_USE_SIGNER. Default: false
	UseSigner bool `json:"use_signer,omitempty"`

	// What a key has before the id: the app's SESSION_KEY_PREFIX. Default: session:
	KeyPrefix *string `json:"key_prefix,omitempty"`

	// The serialization of new sessions: pickle (Flask-Session up to 0.6, and its file store in all
	// versions), msgpack (0.7 and later), json (0.7 and later, with SESSION_SERIALIZATION_FORMAT),
	// or auto: that of the session that was read last, or pickle before any was read, which all
	// versions read. An existing session is always written back in its own serialization. Default:
	// auto
	Serialization string `json:"serialization,omitempty"`

	// How long a session lives after it was last saved or touched: the app's
	// PERMANENT_SESSION_LIFETIME. Default: 744h (31 days)
	Lifetime caddy.Duration `json:"lifetime,omitempty"`

	// Whether the cookies of new sessions outlive the browser: the app's SESSION_PERMANENT.
	// Default: true
	Permanent *bool `json:"permanent,omitempty"`

	format dialects.Format
}

// CaddyModule returns the Caddy module information.
func (*Dialect) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.session.dialects.flask_session", New: func() caddy.Module { return new(Dialect) }}
}

// Provision implements [caddy.Provisioner].
func (f *Dialect) Provision(caddy.Context) error {
	if err := f.provision(); err != nil {
		return fmt.Errorf("dialect flask_session: %w", err)
	}
	return nil
}

func (f *Dialect) provision() error {
	if err := f.block().Check(); err != nil {
		return err
	}
	cookies, err := f.cookies()
	if err != nil {
		return err
	}
	opts := Options{
		KeyPrefix:     config.Or(f.KeyPrefix, defaultKeyPrefix),
		Serialization: Serialization(cmp.Or(f.Serialization, string(Auto))),
	}
	f.format = dialects.Format{
		Codec: New(opts), Layouts: layouts, Cookies: cookies, CookieName: securecookie.DefaultName,
		Lifetime: cmp.Or(time.Duration(f.Lifetime), securecookie.DefaultLifetime), Permanent: config.Or(f.Permanent, true),
		Doubt: func(cookie string, verified bool) string { return doubt(cookie, verified, f.UseSigner, opts.KeyPrefix) },
	}
	return nil
}

// doubt says which setting probably differs from the app's.
func doubt(cookie string, verified, useSigner bool, prefix string) string {
	codec := New(Options{})
	id, signature, signed := strings.Cut(cookie, ".")
	switch {
	case verified:
		return fmt.Sprintf("no record under its key: it has expired, or key_prefix %q is not the app's SESSION_KEY_PREFIX", prefix)
	case !codec.ValidID(id) || len(id) < minID:
		return ""
	case !signed && useSigner:
		return "it is not signed: turn use_signer off, unless the app sets SESSION_USE_SIGNER"
	case len(signature) != signatureLen:
		return ""
	case useSigner:
		return "it was signed with another secret: set secret to the app's SECRET_KEY"
	default:
		return "it is signed: turn use_signer on, as the app sets SESSION_USE_SIGNER"
	}
}

const maxKeyPrefix = 72

func printable(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return true
}

func (f *Dialect) cookies() (dialects.Cookies, error) {
	switch {
	case f.UseSigner:
	case f.Secret != nil:
		return nil, errors.New("secret: needs use_signer on, which signs the cookies")
	default:
		return unsigned{}, nil
	}
	secrets, err := dialects.Secrets(f.Secret)
	if err != nil {
		return nil, err
	}
	return newSigner(secrets)
}

// newSigner returns the signer of an app that signs its cookies.
func newSigner(secrets []string) (dialects.Cookies, error) {
	keys := make([][]byte, len(secrets))
	for i, secret := range secrets {
		keys[i] = []byte(secret)
	}
	return signer.New(signer.Options{Keys: keys, Salt: salt, Digest: signer.SHA1, Derivation: signer.DeriveHMAC})
}

// unsigned is the cookie form of an app that does not sign: the id alone.
type unsigned struct{}

// Sign implements [dialects.Cookies].
func (unsigned) Sign(id string) string { return id }

// Verify implements [dialects.Cookies]. The codec checks the id.
func (unsigned) Verify(value string) (id string, stale, ok bool) { return value, false, true }

// CookieName implements [dialects.Shared].
func (*Dialect) CookieName() string { return securecookie.DefaultName }

// Format implements [dialects.Dialect].
func (f *Dialect) Format() dialects.Format { return f.format }

// UnmarshalCaddyfile sets up the dialect from Caddyfile tokens. Syntax:
//
//	dialect flask_session {
//		use_signer    on | off
//		secret        <key> [<former key>...]
//		key_prefix    <prefix>
//		serialization auto | pickle | msgpack | json
//		lifetime      <duration>
//		permanent     on | off
//	}
func (f *Dialect) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	return f.block().Unmarshal(d, "dialect flask_session")
}

func (f *Dialect) block() config.Options {
	return config.Options{
		"use_signer":    config.OnOff(&f.UseSigner),
		"secret":        config.Words(&f.Secret),
		"key_prefix":    config.Given(&f.KeyPrefix, keyPrefix),
		"serialization": config.OneOf(&f.Serialization, string(Auto), string(Pickle), string(MessagePack), string(JSON)),
		"lifetime":      config.Seconds(&f.Lifetime),
		"permanent":     config.Given(&f.Permanent, config.OnOff),
	}
}

// keyPrefix limits the prefix so that with the longest id the key fits every store.
func keyPrefix(to *string) config.Option {
	return config.Matching(to, fmt.Sprintf("at most %d printable ASCII characters", maxKeyPrefix), func(text string) bool {
		return len(text) <= maxKeyPrefix && printable(text)
	})
}

// Interface guards
var (
	_ dialects.Dialect      = (*Dialect)(nil)
	_ caddy.Provisioner     = (*Dialect)(nil)
	_ caddyfile.Unmarshaler = (*Dialect)(nil)
)
