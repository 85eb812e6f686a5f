package mongodb

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-session/caddy-session/caddymodule/stores"
)

// UnmarshalCaddyfile sets up the store from Caddyfile tokens. Syntax:
//
//	store mongodb <uri> {
//		database     <name>
//		collection   <name>
//		create_index on|off
//		key_prefix   <prefix>
//		pool_size    <connections>
//		dial_timeout <duration>
//		timeout      <duration>
//	}
func (s *Store) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // consume the module's name
	if !d.AllArgs(&s.URI) || s.URI == "" {
		return d.Err("store mongodb: it takes one argument, the uri") // d.ArgErr quotes it
	}
	return stores.Block(d, "store mongodb", s.block(d))
}

func (s *Store) block(d *caddyfile.Dispenser) stores.Options {
	return stores.Options{
		"database":   func() error { return stores.Name(d, &s.Database) },
		"collection": func() error { return stores.Name(d, &s.Collection) },
		"create_index": func() error {
			s.CreateIndex = new(bool)
			return stores.OnOff(d, s.CreateIndex)
		},
		"key_prefix":   func() error { return stores.Name(d, &s.KeyPrefix) },
		"pool_size":    func() error { return stores.Number(d, &s.PoolSize, 1) },
		"dial_timeout": func() error { return stores.Duration(d, &s.DialTimeout) },
		"timeout":      func() error { return stores.Duration(d, &s.Timeout) },
	}
}

// Interface guards
var (
	_ caddy.Provisioner     = (*Store)(nil)
	_ stores.Sharer         = (*Store)(nil)
	_ caddyfile.Unmarshaler = (*Store)(nil)
)
