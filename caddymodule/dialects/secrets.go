package dialects

import (
	"errors"

	"github.com/caddy-session/caddy-session/internal/config"
)

// Secrets returns an app's secrets with their placeholders replaced. They may be as short as the
// app allows, but not empty.
func Secrets(configured []string) ([]string, error) {
	if len(configured) == 0 {
		return nil, errors.New("secret: set the app's secret, such as {file./run/secrets/app-key}")
	}
	return config.Keys("secret", configured)
}
