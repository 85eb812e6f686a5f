package phpsession

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/user"
	"slices"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-session/caddy-session/caddymodule/dialects"
	"github.com/caddy-session/caddy-session/frameworks/php/serialize"
	"github.com/caddy-session/caddy-session/internal/config"
)

func init() { caddy.RegisterModule(new(Dialect)) }

// Dialect shares the sessions of PHP scripts in place: the folder is PHP's session.save_path, and
// PHP's own handler ("files") goes on using it. The options have the names of PHP's settings.
type Dialect struct {
	// PHP's session.serialize_handler: php, php_binary or php_serialize. A record in another form
	// is an error, and stays as it is. Default: php
	Serializer string `json:"serializer,omitempty"`

	// How long a session lives after it was last saved or touched: PHP's session.gc_maxlifetime.
	// Default: 24m
	Lifetime caddy.Duration `json:"lifetime,omitempty"`

	// How many levels of folders are in the folder: the number before the first semicolon of PHP's
	// session.save_path. Default: 0
	Levels int `json:"levels,omitempty"`

	// The user that PHP runs as, by name or number, which is Caddy's or any if Caddy runs as root.
	// New sessions belong to this user, and sessions of other users are not read. Without it, there
	// is a warning. Default: the user that Caddy runs as
	Owner string `json:"owner,omitempty"`

	// The length of new ids in characters: PHP's session.sid_length. Default: 32
	SIDLength int `json:"sid_length,omitempty"`

	// How many bits each character of new ids has: PHP's session.sid_bits_per_character, 4 to 6.
	// Default: 4
	SIDBitsPerCharacter int `json:"sid_bits_per_character,omitempty"`

	// Whether the cookies that the proxy sets outlive the browser, as with PHP's
	// session.cookie_lifetime. Default: false
	Permanent bool `json:"permanent,omitempty"`

	format dialects.Format
}

const (
	defaultLifetime = 24 * time.Minute
	defaultIDLength = 32
	defaultIDBits   = 4
	maxIDBits       = 6

	// minIDLength is the least that PHP accepts.
	minIDLength = 22

	maxLevels = 16
)

// CaddyModule returns the Caddy module information.
func (*Dialect) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.session.dialects.php", New: func() caddy.Module { return new(Dialect) }}
}

// Provision implements [caddy.Provisioner].
func (p *Dialect) Provision(ctx caddy.Context) error {
	if err := p.provision(ctx); err != nil {
		return fmt.Errorf("dialect php: %w", err)
	}
	return nil
}

func (p *Dialect) provision(ctx caddy.Context) error {
	if err := p.block().Check(); err != nil {
		return err
	}
	uid, err := uidOf(p.Owner)
	if err != nil {
		return err
	}
	warnOfUsers(ctx.Logger(), uid, os.Geteuid())
	form := serialize.Form(cmp.Or(p.Serializer, string(serialize.PHP)))
	codec := New(Options{
		Form: form, Levels: p.Levels, Permanent: p.Permanent,
		IDLength: cmp.Or(p.SIDLength, defaultIDLength), IDBits: cmp.Or(p.SIDBitsPerCharacter, defaultIDBits),
	})
	p.format = dialects.Format{
		Codec: codec, Layouts: layoutsOf(form, p.Levels, uid), Cookies: cookies{}, CookieName: defaultName,
		Lifetime: cmp.Or(time.Duration(p.Lifetime), defaultLifetime), Permanent: p.Permanent,
		Doubt: func(cookie string, _ bool) string { return doubt(codec, cookie) },
	}
	return nil
}

// doubt says which setting probably differs from the app's.
func doubt(codec *Codec, cookie string) string {
	if id, _, ok := (cookies{}).Verify(cookie); !ok || !codec.ValidID(id) {
		return ""
	}
	return "no record under its id: it has expired, or the folder and levels are not those of PHP's session.save_path"
}

// uidOf returns the number of a user, or -1 for none.
func uidOf(name string) (int, error) {
	if name == "" {
		return -1, nil
	}
	if uid, err := strconv.Atoi(name); err == nil && uid >= 0 {
		return uid, nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return 0, fmt.Errorf("owner: %w", err)
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return 0, errors.New("owner: this system has no numeric user ids")
	}
	return uid, nil
}

// CookieName implements [dialects.Shared].
func (*Dialect) CookieName() string { return defaultName }

// Format implements [dialects.Dialect].
func (p *Dialect) Format() dialects.Format { return p.format }

// UnmarshalCaddyfile sets up the dialect from Caddyfile tokens. Syntax:
//
//	dialect php {
//		serializer             php | php_binary | php_serialize
//		lifetime               <duration>
//		levels                 <number>
//		owner                  <user>
//		sid_length             <number>
//		sid_bits_per_character 4 | 5 | 6
//		permanent              on | off
//	}
func (p *Dialect) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	return p.block().Unmarshal(d, "dialect php")
}

func (p *Dialect) block() config.Options {
	return config.Options{
		"serializer": config.Matching(&p.Serializer, serializers, func(text string) bool {
			return slices.Contains(serialize.Forms, serialize.Form(text))
		}),
		"lifetime":   config.Seconds(&p.Lifetime),
		"levels":     config.Between(&p.Levels, 0, maxLevels),
		"owner":      config.Name(&p.Owner),
		"sid_length": config.Between(&p.SIDLength, minIDLength, maxID),
		"permanent":  config.OnOff(&p.Permanent),

		"sid_bits_per_character": config.Between(&p.SIDBitsPerCharacter, defaultIDBits, maxIDBits),
	}
}

// serializers describes the serializers in errors.
const serializers = "php, php_binary or php_serialize (only PHP's extensions read igbinary and msgpack: set session.serialize_handler = php_serialize in PHP)"

// Interface guards
var (
	_ dialects.Dialect      = (*Dialect)(nil)
	_ caddy.Provisioner     = (*Dialect)(nil)
	_ caddyfile.Unmarshaler = (*Dialect)(nil)
)
