package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// None checks that the line has no further argument. whose names the option in errors.
func None(d *caddyfile.Dispenser, whose string) error {
	if d.NextArg() {
		return d.Errf("%s takes no value", whose)
	}
	return nil
}

// Args reads all arguments of the line into as many targets. None of them may be empty. right
// describes the arguments in errors.
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

// Optional reads the optional last argument of the line. It may not be empty.
func Optional(d *caddyfile.Dispenser, whose, right string, to *string) error {
	args, err := Arguments(d, whose, right, 0, 1)
	switch {
	case err != nil || len(args) == 0:
		return err
	case args[0] == "":
		return missing(d, whose, right) // an unset variable must not select the default
	default:
		*to = args[0]
		return nil
	}
}

// Arguments reads all arguments of the line: from least to most of them. right describes them in
// errors. Errors do not contain the arguments: they may be parts of a secret.
func Arguments(d *caddyfile.Dispenser, whose, right string, least, most int) ([]string, error) {
	args := d.RemainingArgs()
	switch {
	case len(args) == 0 && least > 0:
		return nil, missing(d, whose, right)
	case len(args) < least || len(args) > most:
		return nil, d.Errf("%s takes %s, %s, not %d; put a value with spaces in quotes", whose, values(least, most), right, len(args))
	default:
		return args, nil
	}
}

// values describes the allowed number of arguments.
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
		return "at most one value"
	default:
		return number(least) + " or " + number(most) + " values"
	}
}

// missing returns the error for an option without a value. right describes the value.
func missing(d *caddyfile.Dispenser, whose, right string) error {
	return d.Errf("%s: missing value: %s (a variable such as {$NAME} that is not set is empty)", whose, right)
}

// list joins choices.
func list(choices []string) string {
	last := len(choices) - 1
	if last < 1 {
		return strings.Join(choices, "")
	}
	return strings.Join(choices[:last], ", ") + " or " + choices[last]
}
