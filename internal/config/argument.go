package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// None reads the end of a line. The errors say what takes no value.
func None(d *caddyfile.Dispenser, whose string) error {
	if d.NextArg() {
		return d.Errf("%s takes no value", whose)
	}
	return nil
}

// Args reads the arguments up to the end of the line: as many as there are targets, none of them empty; right says which.
func Args(d *caddyfile.Dispenser, whose, right string, to ...*string) error {
	args, err := Arguments(d, whose, right, len(to), len(to))
	if err != nil {
		return err
	}
	if slices.Contains(args, "") {
		return missing(d, whose, right)
	}
	for i, arg := range args {
		*to[i] = arg
	}
	return nil
}

// Optional reads the argument that may stand there up to the end of the line. It may not be empty.
func Optional(d *caddyfile.Dispenser, whose, right string, to *string) error {
	args, err := Arguments(d, whose, right, 0, 1)
	switch {
	case err != nil || len(args) == 0:
		return err
	case args[0] == "":
		return missing(d, whose, right) // as where a variable is not set: that is not to become the default
	default:
		*to = args[0]
		return nil
	}
}

// Arguments reads from least to most of them, up to the end of the line; right says what they are. No error holds what stands there:
// it may be a part of a secret.
func Arguments(d *caddyfile.Dispenser, whose, right string, least, most int) ([]string, error) {
	args := d.RemainingArgs()
	switch {
	case len(args) == 0 && least > 0:
		return nil, missing(d, whose, right)
	case len(args) < least || len(args) > most:
		return nil, d.Errf("%s takes %s, %s, and not %d; a value with blanks stands in quotes", whose, values(least, most), right, len(args))
	default:
		return args, nil
	}
}

// values says how many there may be.
func values(least, most int) string {
	number := func(n int) string {
		if n < 4 {
			return [...]string{"no", "one", "two", "three"}[n]
		}
		return fmt.Sprint(n)
	}
	switch {
	case most == 1 && least == most:
		return "one value"
	case least == most:
		return number(most) + " values"
	case most == 1:
		return "one value at most"
	default:
		return number(least) + " or " + number(most) + " values"
	}
}

// missing is the error of what has no value; right says what would be one.
func missing(d *caddyfile.Dispenser, whose, right string) error {
	return d.Errf("%s: a value is missing: %s (a variable such as {$NAME} that is not set leaves nothing)", whose, right)
}

// list joins choices.
func list(choices []string) string {
	last := len(choices) - 1
	if last < 1 {
		return strings.Join(choices, "")
	}
	return strings.Join(choices[:last], ", ") + " or " + choices[last]
}
