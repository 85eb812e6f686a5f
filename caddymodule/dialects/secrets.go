package dialects

import (
	"errors"
	"fmt"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-session/caddy-session/internal/placeholders"
)

// Resolve returns an app's secrets with their placeholders replaced. They may be as short as the app allows, and never
// empty. The configured texts stay as they are: Caddy may log them. No error holds a secret.
func Resolve(configured []string) ([]string, error) {
	if len(configured) == 0 {
		return nil, errors.New("secret: give the app's own, such as {file./run/secrets/app-key}")
	}
	secrets := make([]string, len(configured))
	for i, text := range configured {
		secret, err := placeholders.Resolve(text)
		if err != nil {
			return nil, fmt.Errorf("secret: key %d of %d resolves to nothing: %w", i+1, len(configured), err)
		}
		if secret == "" {
			return nil, fmt.Errorf("secret: key %d of %d resolves to nothing", i+1, len(configured))
		}
		secrets[i] = secret
	}
	return secrets, nil
}

// Options reads the block of a dialect: set is called for every option, none twice, and reports whether it knows it.
func Options(d *caddyfile.Dispenser, block string, set func(option string) (known bool, err error)) error {
	d.Next() // consume the module's name
	if d.NextArg() {
		return d.ArgErr()
	}
	seen := make(map[string]bool)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		option := d.Val()
		if seen[option] {
			return d.Errf("%s is given twice", option)
		}
		seen[option] = true
		switch known, err := set(option); {
		case !known:
			return d.Errf("unrecognized option of %s: %s", block, option)
		case err != nil:
			return err
		}
	}
	return nil
}

// Words reads one or more arguments.
func Words(d *caddyfile.Dispenser, to *[]string) error {
	if *to = d.RemainingArgs(); len(*to) == 0 {
		return d.ArgErr()
	}
	return nil
}

// Word reads one argument.
func Word(d *caddyfile.Dispenser, to *string) error {
	if !d.AllArgs(to) {
		return d.ArgErr()
	}
	return nil
}

// OnOff reads on or off.
func OnOff(d *caddyfile.Dispenser, to *bool) error {
	option := d.Val()
	var choice string
	if !d.AllArgs(&choice) {
		return d.ArgErr()
	}
	if choice != "on" && choice != "off" {
		return d.Errf("%s must be on or off, not %q", option, choice)
	}
	*to = choice == "on"
	return nil
}

// Duration reads a duration of a second or more: frameworks count their sessions' lives in seconds.
func Duration(d *caddyfile.Dispenser, to *caddy.Duration) error {
	option := d.Val()
	var text string
	if !d.AllArgs(&text) {
		return d.ArgErr()
	}
	value, err := caddy.ParseDuration(text)
	if err != nil || value < minLifetime {
		return d.Errf("%s must be a duration of a second or more, such as 30m, 24h or 31d, not %q", option, text)
	}
	*to = caddy.Duration(value)
	return nil
}
