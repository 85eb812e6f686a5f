// Package config reads the options of this project's modules. The Caddyfile and JSON have the same
// rules and the same errors.
package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// Option is an option of a module: how to read it from a Caddyfile, and the rule for its value.
type Option struct {
	// read reads the value from a Caddyfile. The Dispenser is at the option's name.
	read func(d *caddyfile.Dispenser) error

	// check validates the value, from a Caddyfile or from JSON. The zero value means that the
	// option is not set. check may be nil.
	check func(option string) error

	repeatable bool

	// line shows where the value stands, if it is no option of the block.
	line string
}

// Argument is a value that stands before the block, although it has a name in JSON. line shows how.
func Argument(line string) Option { return Option{line: line} }

// Func is an option that read reads from a Caddyfile. The Dispenser is at its name.
func Func(read func(d *caddyfile.Dispenser) error) Option { return Option{read: read} }

// Repeatable returns the option so that it may be given more than once.
func (o Option) Repeatable() Option {
	o.repeatable = true
	return o
}

// Also adds a rule to the option. The error of check must name the option. check is called even if
// the option is not set.
func (o Option) Also(check func() error) Option {
	first := o.check
	o.check = func(option string) error {
		if first != nil {
			if err := first(option); err != nil {
				return err
			}
		}
		return check()
	}
	return o
}

// Options are the options of a module, or of a block in it, by name.
type Options map[string]Option

// Unmarshal reads a module or directive without arguments from a Caddyfile: its name and the
// optional block of options. whose is as in [Options.Read].
func (o Options) Unmarshal(d *caddyfile.Dispenser, whose string) error {
	d.Next() // skip the name
	if err := None(d, whose); err != nil {
		return err
	}
	return o.Read(d, whose)
}

// Read reads the optional block of options in a Caddyfile. Errors name whose options these are,
// such as "store redis", and the line.
func (o Options) Read(d *caddyfile.Dispenser, whose string) error {
	seen := make(map[string]bool)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		name := d.Val()
		option, known := o[name]
		if option.line != "" {
			return d.Errf("%s: %s is no option in the block; it comes after the name: %s", whose, name, option.line)
		}
		switch {
		case !known && len(o.names()) == 0:
			return d.Errf("unrecognized option of %s: %s; it has no options", whose, name)
		case !known:
			return d.Errf("unrecognized option of %s: %s; it has %s", whose, name, strings.Join(o.names(), ", "))
		case seen[name] && !option.repeatable:
			return d.Errf("%s: %s is given twice", whose, name)
		}
		seen[name] = true
		if err := option.read(d); err != nil {
			return err
		}
		if option.check == nil {
			continue
		}
		if err := option.check(name); err != nil {
			return d.WrapErr(err)
		}
	}
	return nil
}

// names returns the names of the options that stand in the block.
func (o Options) names() (names []string) {
	for _, name := range slices.Sorted(maps.Keys(o)) {
		if o[name].line == "" {
			names = append(names, name)
		}
	}
	return names
}

// Check validates all values. Call it in Provision, since the values may come from JSON.
func (o Options) Check() error {
	for _, name := range slices.Sorted(maps.Keys(o)) {
		if check := o[name].check; check != nil {
			if err := check(name); err != nil {
				return err
			}
		}
	}
	return nil
}

// Block is an option with a block of its own, which is read into a new struct.
func Block[T any](to **T, whose string, options func(*T) Options) Option {
	return Option{
		read: func(d *caddyfile.Dispenser) error {
			if err := None(d, d.Val()); err != nil {
				return err
			}
			*to = new(T)
			return options(*to).Read(d, whose)
		},
		check: func(option string) error {
			if *to == nil {
				return nil
			}
			if err := options(*to).Check(); err != nil {
				return fmt.Errorf("%s: %w", option, err)
			}
			return nil
		},
	}
}

// Given is an option whose zero value differs from its absence, which is nil.
func Given[T any](to **T, option func(*T) Option) Option {
	return Option{
		read: func(d *caddyfile.Dispenser) error {
			*to = new(T)
			return option(*to).read(d)
		},
		check: func(name string) error {
			if *to == nil || option(*to).check == nil {
				return nil
			}
			return option(*to).check(name)
		},
	}
}

// Or returns the given value, or byDefault if given is nil.
func Or[T any](given *T, byDefault T) T {
	if given == nil {
		return byDefault
	}
	return *given
}
