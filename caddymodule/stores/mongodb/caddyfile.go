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
	return stores.Block(d, "store mongodb", func(option string) error { return s.unmarshalOption(d, option) })
}

func (s *Store) unmarshalOption(d *caddyfile.Dispenser, option string) error {
	switch option {
	case "database":
		return stores.Name(d, &s.Database)
	case "collection":
		return stores.Name(d, &s.Collection)
	case "create_index":
		s.CreateIndex = new(bool)
		return stores.OnOff(d, s.CreateIndex)
	case "key_prefix":
		return stores.Name(d, &s.KeyPrefix)
	case "pool_size":
		return stores.Number(d, &s.PoolSize, 1)
	case "dial_timeout":
		return stores.Duration(d, &s.DialTimeout)
	case "timeout":
		return stores.Duration(d, &s.Timeout)
	default:
		return d.Errf("unrecognized option of store mongodb: %s", option)
	}
}

// Interface guards
var (
	_ caddy.Provisioner     = (*Store)(nil)
	_ stores.Sharer         = (*Store)(nil)
	_ caddyfile.Unmarshaler = (*Store)(nil)
)
