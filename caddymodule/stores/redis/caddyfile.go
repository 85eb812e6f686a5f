package redis

import (
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/dustin/go-humanize"

	"github.com/caddy-session/caddy-session/caddymodule/stores"
)

// UnmarshalCaddyfile sets up the store from Caddyfile tokens. Syntax:
//
//	store redis [<address>...] {
//		username          <name>
//		password          <password>
//		db                <number>
//		master            <name>         # behind Sentinel
//		sentinel_username <name>
//		sentinel_password <password>
//		cluster
//		tls {
//			ca          <file>
//			certificate <file> <key file>
//			server_name <name>
//		}
//		key_prefix    <prefix>
//		pool_size     <connections>
//		dial_timeout  <duration>
//		read_timeout  <duration>
//		write_timeout <duration>
//		pipelining    on|off
//		wait_replicas <number>
//		near_cache {
//			max_entries <number>
//			max_bytes   <size>
//		}
//	}
func (s *Store) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // consume the module's name
	s.Addresses = append(s.Addresses, d.RemainingArgs()...)
	seen := make(map[string]bool)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		option := d.Val()
		if seen[option] {
			return d.Errf("store redis: %s stands there twice", option)
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
	case "username":
		return text(d, &s.Username)
	case "password":
		return text(d, &s.Password)
	case "db":
		return number(d, &s.DB, 0)
	case "master":
		return text(d, &s.Master)
	case "sentinel_username":
		return text(d, &s.SentinelUsername)
	case "sentinel_password":
		return text(d, &s.SentinelPassword)
	case "cluster":
		s.Cluster = true
		return none(d)
	case "tls":
		s.TLS = new(TLS)
		return s.TLS.unmarshal(d)
	case "key_prefix":
		s.KeyPrefix = new(string)
		return text(d, s.KeyPrefix)
	case "pool_size":
		return number(d, &s.PoolSize, 1)
	case "dial_timeout":
		return duration(d, &s.DialTimeout)
	case "read_timeout":
		return duration(d, &s.ReadTimeout)
	case "write_timeout":
		return duration(d, &s.WriteTimeout)
	case "pipelining":
		s.Pipelining = new(bool)
		return onOff(d, s.Pipelining)
	case "wait_replicas":
		return number(d, &s.WaitReplicas, 0)
	case "near_cache":
		s.NearCache = new(NearCache)
		return s.NearCache.unmarshal(d)
	default:
		return d.Errf("unrecognized option of store redis: %s", option)
	}
}

func (t *TLS) unmarshal(d *caddyfile.Dispenser) error {
	if err := none(d); err != nil {
		return err
	}
	seen := make(map[string]bool)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		option := d.Val()
		if seen[option] {
			return d.Errf("store redis: tls: %s stands there twice", option)
		}
		seen[option] = true
		var err error
		switch option {
		case "ca":
			err = text(d, &t.CA)
		case "certificate":
			if !d.Args(&t.Certificate, &t.Key) || d.NextArg() {
				err = d.ArgErr()
			}
		case "server_name":
			err = text(d, &t.ServerName)
		default:
			err = d.Errf("unrecognized option of store redis, tls: %s", option)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (n *NearCache) unmarshal(d *caddyfile.Dispenser) error {
	if err := none(d); err != nil {
		return err
	}
	seen := make(map[string]bool)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		option := d.Val()
		if seen[option] {
			return d.Errf("store redis: near_cache: %s stands there twice", option)
		}
		seen[option] = true
		switch option {
		case "max_entries":
			if err := number(d, &n.MaxEntries, 1); err != nil {
				return err
			}
		case "max_bytes":
			var size string
			if err := text(d, &size); err != nil {
				return err
			}
			bytes, err := humanize.ParseBytes(size)
			if err != nil || bytes == 0 || bytes > 1<<50 {
				return d.Errf("max_bytes: %q is not a size such as 64MiB", size)
			}
			n.MaxBytes = int64(bytes)
		default:
			return d.Errf("unrecognized option of store redis, near_cache: %s", option)
		}
	}
	return nil
}

// text reads the one argument of an option.
func text(d *caddyfile.Dispenser, to *string) error {
	if !d.NextArg() {
		return d.ArgErr()
	}
	*to = d.Val()
	return none(d)
}

func none(d *caddyfile.Dispenser) error {
	if d.NextArg() {
		return d.ArgErr()
	}
	return nil
}

func number(d *caddyfile.Dispenser, to *int, least int) error {
	option := d.Val()
	var from string
	if err := text(d, &from); err != nil {
		return err
	}
	n, err := strconv.Atoi(from)
	if err != nil || n < least {
		return d.Errf("%s: %q is not a number from %d on", option, from, least)
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
