package dialects

import (
	"errors"
	"fmt"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-session/caddy-session/caddymodule/stores"
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

// LifetimeOption reads a duration of a second or more: frameworks count their sessions' lives in seconds.
func LifetimeOption(d *caddyfile.Dispenser, to *caddy.Duration) error {
	return stores.DurationFrom(d, to, minLifetime, "a duration of a second or more, such as 30m, 24h or 31d")
}

// Words reads one or more arguments.
func Words(d *caddyfile.Dispenser, to *[]string) error {
	option := d.Val()
	if *to = d.RemainingArgs(); len(*to) == 0 {
		return stores.Missing(d, option, "one or more values")
	}
	return nil
}
