package dialects

import (
	"errors"

	"github.com/caddy-session/caddy-session/internal/config"
)

// Secrets returns an app's secrets with their placeholders replaced. They may be as short as the app allows, and never empty.
func Secrets(configured []string) ([]string, error) {
	if len(configured) == 0 {
		return nil, errors.New("secret: give the app's own, such as {file./run/secrets/app-key}")
	}
	return config.Keys("secret", configured)
}
