package caddymodule

import (
	"fmt"
	"strconv"

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

// userOption is the option user.
func userOption(to **User) config.Option {
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

// UserLimit says how many sessions a user may have.
type UserLimit struct {
	// The number, 1 to 1000. Required
	Number int `json:"number,omitempty"`

	// What happens at a login beyond it: end_oldest (the session of the user that was used least
	// recently ends) or refuse (the login gets a 403 and changes nothing). Default: end_oldest
	AtLimit string `json:"at_limit,omitempty"`
}

const (
	limitEndOldest = "end_oldest"
	limitRefuse    = "refuse"

	// maxUserLimit is how many sessions of a user are listed.
	maxUserLimit = 1000
)

// userLimitOption is the option max_user_sessions.
func userLimitOption(to **UserLimit) config.Option {
	read := func(d *caddyfile.Dispenser) error {
		option := d.Val()
		args, err := config.Arguments(d, option, "a number and perhaps "+limitEndOldest+" or "+limitRefuse, 1, 2)
		if err != nil {
			return err
		}
		*to = new(UserLimit)
		(*to).Number, _ = strconv.Atoi(args[0])
		if len(args) == 2 {
			(*to).AtLimit = args[1]
			if args[1] == "" {
				return d.Errf("%s: an empty value after the number", option)
			}
		}
		return nil
	}
	return config.Func(read).Also(func() error {
		switch l := *to; {
		case l == nil:
			return nil
		case l.Number < 1 || l.Number > maxUserLimit:
			return fmt.Errorf("max_user_sessions must be a number from 1 to %d", maxUserLimit)
		case l.AtLimit != "" && l.AtLimit != limitEndOldest && l.AtLimit != limitRefuse:
			return fmt.Errorf("max_user_sessions must be %s or %s at the limit, not %q", limitEndOldest, limitRefuse, l.AtLimit)
		default:
			return nil
		}
	})
}
