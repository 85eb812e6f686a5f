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
		return d.Err("store sql takes two values, the database and the dsn or path")
	}
	s.Database = d.Val()
	if _, err := find(s.Database); err != nil {
		return d.WrapErr(err)
	}
	if err := stores.Name(d, &s.DSN); err != nil {
		return err
	}
	return stores.Block(d, "store sql", s.block(d))
}

func (s *Store) block(d *caddyfile.Dispenser) stores.Options {
	return stores.Options{
		"table":          func() error { return stores.Name(d, &s.Table) },
		"sequence":       func() error { return stores.Name(d, &s.Sequence) },
		"create_table":   func() error { return stores.OnOff(d, &s.CreateTable) },
		"key_prefix":     func() error { return stores.Name(d, &s.KeyPrefix) },
		"pool_size":      func() error { return stores.Number(d, &s.PoolSize, 1) },
		"dial_timeout":   func() error { return stores.Duration(d, &s.DialTimeout) },
		"timeout":        func() error { return stores.Duration(d, &s.Timeout) },
		"max_idle_time":  func() error { return stores.Duration(d, &s.MaxIdleTime) },
		"max_lifetime":   func() error { return stores.Duration(d, &s.MaxLifetime) },
		"sweep_interval": func() error { return stores.Duration(d, &s.SweepInterval) },
	}
}

// Interface guards
var (
	_ caddy.Provisioner     = (*Store)(nil)
	_ stores.Sharer         = (*Store)(nil)
	_ caddyfile.Unmarshaler = (*Store)(nil)
)
