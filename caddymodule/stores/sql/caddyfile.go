package sql

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-session/caddy-session/caddymodule/stores"
)

// UnmarshalCaddyfile sets up the store from Caddyfile tokens. Syntax:
//
//	store sql postgres|mysql|sqlite <dsn or path> {
//		table          <name>
//		sequence       <name>          # in an app's table
//		create_table   on|off
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
	if err := stores.Name(d, &s.DSN); err != nil {
		return err
	}
	return stores.Block(d, "store sql", func(option string) error { return s.unmarshalOption(d, option) })
}

func (s *Store) unmarshalOption(d *caddyfile.Dispenser, option string) error {
	switch option {
	case "table":
		return stores.Name(d, &s.Table)
	case "sequence":
		return stores.Name(d, &s.Sequence)
	case "create_table":
		return stores.OnOff(d, &s.CreateTable)
	case "key_prefix":
		return stores.Name(d, &s.KeyPrefix)
	case "pool_size":
		return stores.Number(d, &s.PoolSize, 1)
	case "dial_timeout":
		return stores.Duration(d, &s.DialTimeout)
	case "timeout":
		return stores.Duration(d, &s.Timeout)
	case "max_idle_time":
		return stores.Duration(d, &s.MaxIdleTime)
	case "max_lifetime":
		return stores.Duration(d, &s.MaxLifetime)
	case "sweep_interval":
		return stores.Duration(d, &s.SweepInterval)
	default:
		return d.Errf("unrecognized option of store sql: %s", option)
	}
}

// Interface guards
var (
	_ caddy.Provisioner     = (*Store)(nil)
	_ stores.Sharer         = (*Store)(nil)
	_ caddyfile.Unmarshaler = (*Store)(nil)
)
