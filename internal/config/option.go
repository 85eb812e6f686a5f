// Package config reads the options of this project's modules. What a Caddyfile says and what JSON says is held to the same rules, in
// the same words.
package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// Option is an option of a module: how a Caddyfile says it, and what its value must be.
type Option struct {
	// read takes the value from a Caddyfile. The Dispenser stands at the option's name.
	read func(d *caddyfile.Dispenser) error

	// check returns what is wrong with the value, wherever it is from. The zero value means that the option is
	// not given. It may be nil.
	check func(option string) error

	repeatable bool
}

// Func is an option that read takes from a Caddyfile. The Dispenser stands at its name.
func Func(read func(d *caddyfile.Dispenser) error) Option { return Option{read: read} }

// Repeatable is the option where it may be given more than once.
func (o Option) Repeatable() Option {
	o.repeatable = true
	return o
}

// Also is the option with a further rule, whose error says which option it is. The check is called whether or not it is given.
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

// Options are those of a module, or of a block in it, by their names.
type Options map[string]Option

// Read reads the block of options that may follow in a Caddyfile. The errors say whose they are, such as "store redis", and where
// they stand.
func (o Options) Read(d *caddyfile.Dispenser, whose string) error {
	seen := make(map[string]bool)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		name := d.Val()
		option, known := o[name]
		switch {
		case !known && len(o) == 0:
			return d.Errf("unrecognized option of %s: %s; it has none", whose, name)
		case !known:
			return d.Errf("unrecognized option of %s: %s; it has %s", whose, name, strings.Join(slices.Sorted(maps.Keys(o)), ", "))
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

// Check returns what is wrong with the values. It is for Provision, as they may be from JSON.
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

// Block is an option with a block of its own, for a struct that is made for it.
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

// Or returns what was given, or else what is the default.
func Or[T any](given *T, byDefault T) T {
	if given == nil {
		return byDefault
	}
	return *given
}
