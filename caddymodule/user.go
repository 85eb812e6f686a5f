package caddymodule

import (
	"fmt"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-session/caddy-session/internal/config"
	"github.com/caddy-session/caddy-session/internal/jsondoc"
)

// User says who has logged in to a session.
type User struct {
	// The field of the data, by its dotted path. A string or a number of at most 256 bytes without
	// control characters is a user; anything else is nobody. Required
	Field string `json:"field,omitempty"`

	// Whether the user becomes {http.auth.user.id} too, unless another handler has set that before.
	// Caddy writes it to the access log, and php_fastcgi sends it as REMOTE_USER. Apps that trust
	// that name log the user in. Default: false
	Authenticate bool `json:"authenticate,omitempty"`
}

const userAuthenticate = "authenticate"

// UserOption is the option user.
func UserOption(to **User) config.Option {
	read := func(d *caddyfile.Dispenser) error {
		option := d.Val()
		args, err := config.Arguments(d, option, "a field and perhaps "+userAuthenticate, 1, 2)
		if err != nil {
			return err
		}
		*to = &User{Field: args[0], Authenticate: len(args) == 2}
		if len(args) == 2 && args[1] != userAuthenticate {
			return d.Errf("%s: after the field, only %s may come, not %s", option, userAuthenticate, args[1])
		}
		return nil
	}
	return config.Func(read).Also(func() error {
		if *to == nil {
			return nil
		}
		_, err := (*to).field()
		return err
	})
}

func (u *User) field() (jsondoc.Path, error) {
	field, err := jsondoc.ParsePath(u.Field)
	if err != nil {
		return field, fmt.Errorf("user: %w", err)
	}
	return field, nil
}
