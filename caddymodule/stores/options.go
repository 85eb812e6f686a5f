package stores

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/dustin/go-humanize"

	"github.com/caddy-session/caddy-session/internal/placeholders"
)

// Options are those of a block in the Caddyfile, each with what reads it: the Dispenser stands at its name then.
type Options map[string]func() error

// Block reads the block of options that may follow. None may stand there twice but the repeatable. The errors say whose
// they are: "store redis".
func Block(d *caddyfile.Dispenser, whose string, options Options, repeatable ...string) error {
	seen := make(map[string]bool)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		option := d.Val()
		read, known := options[option]
		switch {
		case !known && len(options) == 0:
			return d.Errf("unrecognized option of %s: %s; it has none", whose, option)
		case !known:
			return d.Errf("unrecognized option of %s: %s; it has %s", whose, option, strings.Join(slices.Sorted(maps.Keys(options)), ", "))
		case seen[option] && !slices.Contains(repeatable, option):
			return d.Errf("%s: %s is given twice", whose, option)
		}
		seen[option] = true
		if err := read(); err != nil {
			return err
		}
	}
	return nil
}

// Missing is the error of an option without a value; right says what would be one.
func Missing(d *caddyfile.Dispenser, option, right string) error {
	return d.Errf("%s: a value is missing: %s (a variable such as {$NAME} that is not set leaves nothing)", option, right)
}

// None is for an option without arguments.
func None(d *caddyfile.Dispenser) error {
	option := d.Val()
	if d.NextArg() {
		return d.Errf("%s takes no value here", option)
	}
	return nil
}

// One reads the one argument of an option, which may not be empty; right says what it is. No error holds what stands there: it may
// be a part of a secret.
func One(d *caddyfile.Dispenser, right string) (string, error) {
	option := d.Val()
	text, err := oneOrEmpty(d, right)
	if err == nil && text == "" {
		return "", Missing(d, option, right)
	}
	return text, err
}

func oneOrEmpty(d *caddyfile.Dispenser, right string) (string, error) {
	option := d.Val()
	switch args := d.RemainingArgs(); len(args) {
	case 0:
		return "", Missing(d, option, right)
	case 1:
		return args[0], nil
	default:
		return "", d.Errf("%s takes one value, %s, and not %d; one with blanks stands in quotes", option, right, len(args))
	}
}

// Text reads the one argument of an option, which may be empty, as in "".
func Text(d *caddyfile.Dispenser, to *string) (err error) {
	*to, err = oneOrEmpty(d, "a text")
	return err
}

// Name reads the one argument of an option, which may not be empty.
func Name(d *caddyfile.Dispenser, to *string) (err error) {
	*to, err = One(d, "a text")
	return err
}

// Number reads the one argument of an option, which is a number from least on.
func Number(d *caddyfile.Dispenser, to *int, least int) error {
	option := d.Val()
	from, err := One(d, "a number")
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(from)
	if err != nil || n < least {
		return d.Errf("%s must be a number from %d on, not %q", option, least, from)
	}
	*to = n
	return nil
}

// Duration reads the one argument of an option, which is a millisecond or more.
func Duration(d *caddyfile.Dispenser, to *caddy.Duration) error {
	return DurationFrom(d, to, time.Millisecond, "a duration of a millisecond or more, such as 400ms or 2s")
}

// DurationFrom reads the one argument of an option, which is as long as least or longer; right says so.
func DurationFrom(d *caddyfile.Dispenser, to *caddy.Duration, least time.Duration, right string) error {
	option := d.Val()
	from, err := One(d, right)
	if err != nil {
		return err
	}
	value, err := caddy.ParseDuration(from)
	if err != nil || value < least {
		return d.Errf("%s must be %s, not %q", option, right, from)
	}
	*to = caddy.Duration(value)
	return nil
}

// Size reads the one argument of an option, which is a number of bytes.
func Size(d *caddyfile.Dispenser, to *int64) error {
	option := d.Val()
	const right = "a size such as 64MiB"
	from, err := One(d, right)
	if err != nil {
		return err
	}
	n, err := humanize.ParseBytes(from)
	if err != nil || n < 1 || n > 1<<50 {
		return d.Errf("%s must be %s, not %q", option, right, from)
	}
	*to = int64(n)
	return nil
}

// OnOff reads the one argument of an option, which is on or off.
func OnOff(d *caddyfile.Dispenser, to *bool) error {
	option := d.Val()
	from, err := One(d, "on or off")
	if err != nil {
		return err
	}
	switch from {
	case "on", "off":
		*to = from == "on"
		return nil
	default:
		return d.Errf("%s must be on or off, not %q", option, from)
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
