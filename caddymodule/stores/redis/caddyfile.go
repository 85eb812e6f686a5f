package redis

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

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
	return stores.Block(d, "store redis", s.block(d))
}

func (s *Store) block(d *caddyfile.Dispenser) stores.Options {
	return stores.Options{
		"username":          func() error { return stores.Text(d, &s.Username) },
		"password":          func() error { return stores.Text(d, &s.Password) },
		"db":                func() error { return stores.Number(d, &s.DB, 0) },
		"master":            func() error { return stores.Text(d, &s.Master) },
		"sentinel_username": func() error { return stores.Text(d, &s.SentinelUsername) },
		"sentinel_password": func() error { return stores.Text(d, &s.SentinelPassword) },
		"cluster": func() error {
			s.Cluster = true
			return stores.None(d)
		},
		"tls": func() error {
			s.TLS = new(TLS)
			return s.TLS.unmarshal(d)
		},
		"key_prefix": func() error {
			s.KeyPrefix = new(string)
			return stores.Text(d, s.KeyPrefix)
		},
		"pool_size":     func() error { return stores.Number(d, &s.PoolSize, 1) },
		"dial_timeout":  func() error { return stores.Duration(d, &s.DialTimeout) },
		"read_timeout":  func() error { return stores.Duration(d, &s.ReadTimeout) },
		"write_timeout": func() error { return stores.Duration(d, &s.WriteTimeout) },
		"pipelining": func() error {
			s.Pipelining = new(bool)
			return stores.OnOff(d, s.Pipelining)
		},
		"wait_replicas": func() error { return stores.Number(d, &s.WaitReplicas, 0) },
		"near_cache": func() error {
			s.NearCache = new(NearCache)
			return s.NearCache.unmarshal(d)
		},
	}
}

func (t *TLS) unmarshal(d *caddyfile.Dispenser) error {
	if err := stores.None(d); err != nil {
		return err
	}
	return stores.Block(d, "store redis, tls", stores.Options{
		"ca": func() error { return stores.Text(d, &t.CA) },
		"certificate": func() error {
			args := d.RemainingArgs()
			if len(args) != 2 {
				return d.Errf("certificate takes two values, the files of the certificate and of its key, and not %d", len(args))
			}
			t.Certificate, t.Key = args[0], args[1]
			return nil
		},
		"server_name": func() error { return stores.Text(d, &t.ServerName) },
	})
}

func (n *NearCache) unmarshal(d *caddyfile.Dispenser) error {
	if err := stores.None(d); err != nil {
		return err
	}
	return stores.Block(d, "store redis, near_cache", stores.Options{
		"max_entries": func() error { return stores.Number(d, &n.MaxEntries, 1) },
		"max_bytes":   func() error { return stores.Size(d, &n.MaxBytes) },
	})
}

// Interface guards
var (
	_ caddy.Provisioner     = (*Store)(nil)
	_ stores.Sharer         = (*Store)(nil)
	_ caddyfile.Unmarshaler = (*Store)(nil)
)
