package stores

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-session/caddy-session/internal/placeholders"
)

// Block calls read with the name of each option in the block that follows. An option that stands there twice is an error of
// whose: "store redis".
func Block(d *caddyfile.Dispenser, whose string, read func(option string) error) error {
	seen := make(map[string]bool)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		option := d.Val()
		if seen[option] {
			return d.Errf("%s: %s stands there twice", whose, option)
		}
		seen[option] = true
		if err := read(option); err != nil {
			return err
		}
	}
	return nil
}

// None is for an option without arguments.
func None(d *caddyfile.Dispenser) error {
	if d.NextArg() {
		return d.ArgErr()
	}
	return nil
}

// Text reads the one argument of an option, which may be empty.
func Text(d *caddyfile.Dispenser, to *string) error {
	if !d.NextArg() {
		return d.ArgErr()
	}
	*to = d.Val()
	return None(d)
}

// Name reads the one argument of an option, which may not be empty.
func Name(d *caddyfile.Dispenser, to *string) error {
	if err := Text(d, to); err != nil {
		return err
	}
	if *to == "" {
		return d.ArgErr()
	}
	return nil
}

// Number reads the one argument of an option, which is a number from least on.
func Number(d *caddyfile.Dispenser, to *int, least int) error {
	option := d.Val()
	var from string
	if err := Text(d, &from); err != nil {
		return err
	}
	n, err := strconv.Atoi(from)
	if err != nil || n < least {
		return d.Errf("%s: %q is not a number from %d on", option, from, least)
	}
	*to = n
	return nil
}

// Duration reads the one argument of an option, which is a millisecond or more.
func Duration(d *caddyfile.Dispenser, to *caddy.Duration) error {
	option := d.Val()
	var from string
	if err := Text(d, &from); err != nil {
		return err
	}
	value, err := caddy.ParseDuration(from)
	if err != nil || value < time.Millisecond {
		return d.Errf("%s: %q is not a duration of a millisecond or more, such as 400ms", option, from)
	}
	*to = caddy.Duration(value)
	return nil
}

// OnOff reads the one argument of an option, which is on or off.
func OnOff(d *caddyfile.Dispenser, to *bool) error {
	option := d.Val()
	var from string
	if err := Text(d, &from); err != nil {
		return err
	}
	switch from {
	case "on", "off":
		*to = from == "on"
		return nil
	default:
		return d.Errf("%s: %q is not on or off", option, from)
	}
}

// Resolve replaces the placeholders of an option. No error holds its text.
func Resolve(option, from string) (string, error) {
	value, err := placeholders.Resolve(from)
	if err != nil {
		return "", fmt.Errorf("%s: %w", option, err)
	}
	if value = strings.TrimRight(value, "\r\n"); value == "" && from != "" {
		return "", fmt.Errorf("%s: what is configured resolves to nothing", option)
	}
	return value, nil
}

// Socket returns the path of a Unix socket if that is what an address is: a path that begins with "/", or Caddy's own form,
// "unix//path".
func Socket(address string) (path string, ok bool) {
	path = strings.TrimPrefix(address, "unix/")
	return path, strings.HasPrefix(path, "/")
}
