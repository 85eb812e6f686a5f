package redis

import (
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
	return stores.Block(d, "store redis", func(option string) error { return s.unmarshalOption(d, option) })
}

func (s *Store) unmarshalOption(d *caddyfile.Dispenser, option string) error {
	switch option {
	case "username":
		return stores.Text(d, &s.Username)
	case "password":
		return stores.Text(d, &s.Password)
	case "db":
		return stores.Number(d, &s.DB, 0)
	case "master":
		return stores.Text(d, &s.Master)
	case "sentinel_username":
		return stores.Text(d, &s.SentinelUsername)
	case "sentinel_password":
		return stores.Text(d, &s.SentinelPassword)
	case "cluster":
		s.Cluster = true
		return stores.None(d)
	case "tls":
		s.TLS = new(TLS)
		return s.TLS.unmarshal(d)
	case "key_prefix":
		s.KeyPrefix = new(string)
		return stores.Text(d, s.KeyPrefix)
	case "pool_size":
		return stores.Number(d, &s.PoolSize, 1)
	case "dial_timeout":
		return stores.Duration(d, &s.DialTimeout)
	case "read_timeout":
		return stores.Duration(d, &s.ReadTimeout)
	case "write_timeout":
		return stores.Duration(d, &s.WriteTimeout)
	case "pipelining":
		s.Pipelining = new(bool)
		return stores.OnOff(d, s.Pipelining)
	case "wait_replicas":
		return stores.Number(d, &s.WaitReplicas, 0)
	case "near_cache":
		s.NearCache = new(NearCache)
		return s.NearCache.unmarshal(d)
	default:
		return d.Errf("unrecognized option of store redis: %s", option)
	}
}

func (t *TLS) unmarshal(d *caddyfile.Dispenser) error {
	if err := stores.None(d); err != nil {
		return err
	}
	return stores.Block(d, "store redis: tls", func(option string) error {
		switch option {
		case "ca":
			return stores.Text(d, &t.CA)
		case "certificate":
			if !d.Args(&t.Certificate, &t.Key) {
				return d.ArgErr()
			}
			return stores.None(d)
		case "server_name":
			return stores.Text(d, &t.ServerName)
		default:
			return d.Errf("unrecognized option of store redis, tls: %s", option)
		}
	})
}

func (n *NearCache) unmarshal(d *caddyfile.Dispenser) error {
	if err := stores.None(d); err != nil {
		return err
	}
	return stores.Block(d, "store redis: near_cache", func(option string) error {
		switch option {
		case "max_entries":
			return stores.Number(d, &n.MaxEntries, 1)
		case "max_bytes":
			var size string
			if err := stores.Text(d, &size); err != nil {
				return err
			}
			bytes, err := humanize.ParseBytes(size)
			if err != nil || bytes == 0 || bytes > 1<<50 {
				return d.Errf("max_bytes: %q is not a size such as 64MiB", size)
			}
			n.MaxBytes = int64(bytes)
			return nil
		default:
			return d.Errf("unrecognized option of store redis, near_cache: %s", option)
		}
	})
}

// Interface guards
var (
	_ caddy.Provisioner     = (*Store)(nil)
	_ stores.Sharer         = (*Store)(nil)
	_ caddyfile.Unmarshaler = (*Store)(nil)
)
