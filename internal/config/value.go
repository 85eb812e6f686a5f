package config

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/dustin/go-humanize"
)

// value is an option with one argument, which parse converts or rejects. right describes the valid
// values in errors.
func value[T comparable](to *T, right string, parse func(text string) (T, bool)) Option {
	wrong := func(option, text string) error { return fmt.Errorf("%s must be %s, not %q", option, right, text) }
	return Option{
		read: func(d *caddyfile.Dispenser) error {
			option := d.Val()
			var text string
			if err := Args(d, option, right, &text); err != nil {
				return err
			}
			v, ok := parse(text)
			if !ok {
				return d.WrapErr(wrong(option, text))
			}
			*to = v
			return nil
		},
		check: func(option string) error {
			var absent T
			if *to == absent {
				return nil
			}
			text := fmt.Sprint(*to)
			if d, ok := any(*to).(caddy.Duration); ok {
				text = time.Duration(d).String()
			}
			if _, ok := parse(text); !ok {
				return wrong(option, text)
			}
			return nil
		},
	}
}

// Name is an option with a text that is not empty.
func Name(to *string) Option {
	return value(to, "a text", func(text string) (string, bool) { return text, true })
}

// Text is an option with a text that may be empty ("").
func Text(to *string) Option {
	return Func(func(d *caddyfile.Dispenser) error {
		args, err := Arguments(d, d.Val(), "a text", 1, 1)
		if err == nil {
			*to = args[0]
		}
		return err
	})
}

// ReadWords reads the values of an option of [Words]. A block may follow.
func ReadWords(d *caddyfile.Dispenser, to *[]string) error {
	option := d.Val()
	if *to = d.RemainingArgs(); len(*to) == 0 || slices.Contains(*to, "") {
		return missing(d, option, "one or more values")
	}
	return nil
}

// Words is an option with one or more texts, none of them empty.
func Words(to *[]string) Option {
	return Option{
		read: func(d *caddyfile.Dispenser) error { return ReadWords(d, to) },
		check: func(option string) error {
			if i := slices.Index(*to, ""); i >= 0 {
				return fmt.Errorf("%s: value %d of %d is empty", option, i+1, len(*to))
			}
			return nil
		},
	}
}

// Pairs is an option with two values. It may be repeated with another first value.
func Pairs(to *map[string]string, right string) Option {
	return Func(func(d *caddyfile.Dispenser) error {
		option := d.Val()
		args, err := Arguments(d, option, right, 2, 2)
		if err != nil {
			return err
		}
		if _, again := (*to)[args[0]]; again {
			return d.Errf("%s %s is given twice", option, args[0])
		}
		if *to == nil {
			*to = make(map[string]string)
		}
		(*to)[args[0]] = args[1]
		return nil
	}).Repeatable()
}

// Flag is an option without a value: true if it is given.
func Flag(to *bool) Option {
	return Func(func(d *caddyfile.Dispenser) error {
		*to = true
		return None(d, d.Val())
	})
}

// OnOff is an option that is on or off.
func OnOff(to *bool) Option {
	read := value(to, "on or off", func(text string) (on, ok bool) { return text == "on", text == "on" || text == "off" }).read
	return Func(read) // both values of a bool are valid
}

// OneOf is an option with one of the given values.
func OneOf(to *string, choices ...string) Option {
	return Matching(to, list(choices), func(text string) bool { return slices.Contains(choices, text) })
}

// Matching is an option with a text for which fits is true. right describes such texts in errors.
func Matching(to *string, right string, fits func(text string) bool) Option {
	return value(to, right, func(text string) (string, bool) { return text, fits(text) })
}

// Number is an option with an integer of at least least.
func Number(to *int, least int) Option {
	return value(to, fmt.Sprintf("an integer of at least %d", least), func(text string) (int, bool) {
		n, err := strconv.Atoi(text)
		return n, err == nil && n >= least
	})
}

// Between is an option with an integer from least to most.
func Between(to *int, least, most int) Option {
	return value(to, fmt.Sprintf("an integer from %d to %d", least, most), func(text string) (int, bool) {
		n, err := strconv.Atoi(text)
		return n, err == nil && least <= n && n <= most
	})
}

// Size is an option with a number of bytes, from 1 to most.
func Size[T int | int64](to *T, most T) Option { return size(to, most, false) }

// SizeOrOff is an option with a number of bytes, from 1 to most, or off, which is its default.
func SizeOrOff[T int | int64](to *T, most T) Option { return size(to, most, true) }

func size[T int | int64](to *T, most T, orOff bool) Option {
	right := "a number of bytes such as 4000, 64KB or 64KiB, and at most " + humanize.IBytes(uint64(most))
	if orOff {
		right += ", or off"
	}
	return value(to, right, func(text string) (T, bool) {
		if orOff && text == "off" {
			return 0, true
		}
		n, err := humanize.ParseBytes(text)
		return T(min(n, uint64(most))), err == nil && n >= 1 && n <= uint64(most)
	})
}

// Memory is an option with a number of bytes, bounded only by 1 PiB.
func Memory(to *int64) Option { return Size(to, 1<<50) }

// Duration is an option with a duration of at least a millisecond.
func Duration(to *caddy.Duration) Option {
	return duration(to, time.Millisecond, "a duration of a millisecond or more, such as 400ms, 90s, 24h or 7d")
}

// Seconds is an option with a duration of at least a second.
func Seconds(to *caddy.Duration) Option {
	return duration(to, time.Second, "a duration of a second or more, such as 90s, 24h or 7d")
}

func duration(to *caddy.Duration, least time.Duration, right string) Option {
	return value(to, right, func(text string) (caddy.Duration, bool) {
		d, err := caddy.ParseDuration(text)
		return caddy.Duration(d), err == nil && d >= least
	})
}
