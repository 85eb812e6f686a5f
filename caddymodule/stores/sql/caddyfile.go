package sql

import (
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-session/caddy-session/caddymodule/stores"
)

// UnmarshalCaddyfile sets up the store from Caddyfile tokens. Syntax:
//
//	store sql postgres|mysql|sqlite <dsn or path> {
//		table          <name>
//		create_table   on|off
//		sequence       <name>
//		key_prefix     <prefix>
//		pool_size      <connections>
//		dial_timeout   <duration>
//		timeout        <duration>
//		max_idle_time  <duration>
//		max_lifetime   <duration>
//		sweep_interval <duration>
//	}
func (s *Store) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // consume the module's name
	if !d.NextArg() {
		return d.ArgErr()
	}
	s.Database = d.Val()
	if _, err := find(s.Database); err != nil {
		return d.WrapErr(err)
	}
	if err := text(d, &s.DSN); err != nil {
		return err
	}
	seen := make(map[string]bool)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		option := d.Val()
		if seen[option] {
			return d.Errf("store sql: %s stands there twice", option)
		}
		seen[option] = true
		if err := s.unmarshalOption(d, option); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) unmarshalOption(d *caddyfile.Dispenser, option string) error {
	switch option {
	case "table":
		return text(d, &s.Table)
	case "create_table":
		return onOff(d, &s.CreateTable)
	case "sequence":
		return text(d, &s.Sequence)
	case "key_prefix":
		return text(d, &s.KeyPrefix)
	case "pool_size":
		return number(d, &s.PoolSize)
	case "dial_timeout":
		return duration(d, &s.DialTimeout)
	case "timeout":
		return duration(d, &s.Timeout)
	case "max_idle_time":
		return duration(d, &s.MaxIdleTime)
	case "max_lifetime":
		return duration(d, &s.MaxLifetime)
	case "sweep_interval":
		return duration(d, &s.SweepInterval)
	default:
		return d.Errf("unrecognized option of store sql: %s", option)
	}
}

// text reads one argument, the last of its line.
func text(d *caddyfile.Dispenser, to *string) error {
	if !d.NextArg() || d.Val() == "" {
		return d.ArgErr()
	}
	*to = d.Val()
	if d.NextArg() {
		return d.ArgErr()
	}
	return nil
}

func number(d *caddyfile.Dispenser, to *int) error {
	option := d.Val()
	var from string
	if err := text(d, &from); err != nil {
		return err
	}
	n, err := strconv.Atoi(from)
	if err != nil || n < 1 {
		return d.Errf("%s: %q is not a number from 1 on", option, from)
	}
	*to = n
	return nil
}

func duration(d *caddyfile.Dispenser, to *caddy.Duration) error {
	option := d.Val()
	var from string
	if err := text(d, &from); err != nil {
		return err
	}
	value, err := caddy.ParseDuration(from)
	if err != nil || value < time.Millisecond {
		return d.Errf("%s: %q is not a duration of a millisecond or more, such as 400ms", option, from)
	}
	*to = caddy.Duration(value)
	return nil
}

func onOff(d *caddyfile.Dispenser, to *bool) error {
	option := d.Val()
	var from string
	if err := text(d, &from); err != nil {
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

// Interface guards
var (
	_ caddy.Provisioner     = (*Store)(nil)
	_ stores.Sharer         = (*Store)(nil)
	_ caddyfile.Unmarshaler = (*Store)(nil)
)
