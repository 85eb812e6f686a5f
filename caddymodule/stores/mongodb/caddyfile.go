package mongodb

import (
	"strconv"
	"time"

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
	seen := make(map[string]bool)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		option := d.Val()
		if seen[option] {
			return d.Errf("store mongodb: %s stands there twice", option)
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
	case "database", "collection", "create_index", "key_prefix", "pool_size", "dial_timeout", "timeout":
	default:
		return d.Errf("unrecognized option of store mongodb: %s", option)
	}
	var value string
	if !d.AllArgs(&value) || value == "" {
		return d.ArgErr()
	}
	switch option {
	case "database":
		s.Database = value
	case "collection":
		s.Collection = value
	case "key_prefix":
		s.KeyPrefix = value
	case "create_index":
		if value != "on" && value != "off" {
			return d.Errf("create_index: %q is not on or off", value)
		}
		on := value == "on"
		s.CreateIndex = &on
	case "pool_size":
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 {
			return d.Errf("pool_size: %q is not a number from 1 on", value)
		}
		s.PoolSize = n
	case "dial_timeout":
		return duration(d, option, value, &s.DialTimeout)
	case "timeout":
		return duration(d, option, value, &s.Timeout)
	}
	return nil
}

func duration(d *caddyfile.Dispenser, option, from string, to *caddy.Duration) error {
	value, err := caddy.ParseDuration(from)
	if err != nil || value < time.Millisecond {
		return d.Errf("%s: %q is not a duration of a millisecond or more, such as 400ms", option, from)
	}
	*to = caddy.Duration(value)
	return nil
}

// Interface guards
var (
	_ caddy.Provisioner     = (*Store)(nil)
	_ stores.Sharer         = (*Store)(nil)
	_ caddyfile.Unmarshaler = (*Store)(nil)
)
