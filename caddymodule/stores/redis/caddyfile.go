package redis

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-session/caddy-session/caddymodule/stores"
	"github.com/caddy-session/caddy-session/internal/config"
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
func (s *Module) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // skip the module's name
	s.Addresses = append(s.Addresses, d.RemainingArgs()...)
	return s.block().Read(d, "store redis")
}

func (s *Module) block() config.Options {
	return config.Options{
		"addresses":         config.Argument("store redis <address>..."),
		"username":          config.Text(&s.Username),
		"password":          config.Text(&s.Password),
		"db":                config.Number(&s.DB, 0),
		"master":            config.Text(&s.Master),
		"sentinel_username": config.Text(&s.SentinelUsername),
		"sentinel_password": config.Text(&s.SentinelPassword),
		"cluster":           config.Flag(&s.Cluster),
		"tls":               config.Block(&s.TLS, "store redis, tls", (*TLS).block),
		"key_prefix":        config.Given(&s.KeyPrefix, config.Text),
		"pool_size":         config.Number(&s.PoolSize, 1),
		"dial_timeout":      config.Duration(&s.DialTimeout),
		"read_timeout":      config.Duration(&s.ReadTimeout),
		"write_timeout":     config.Duration(&s.WriteTimeout),
		"pipelining":        config.Given(&s.Pipelining, config.OnOff),
		"wait_replicas":     config.Number(&s.WaitReplicas, 0),
		"near_cache":        config.Block(&s.NearCache, "store redis, near_cache", (*NearCache).block),
	}
}

func (t *TLS) block() config.Options {
	return config.Options{
		"ca": config.Text(&t.CA),
		"certificate": config.Func(func(d *caddyfile.Dispenser) error {
			return config.Args(d, d.Val(), "the files of the certificate and of its key", &t.Certificate, &t.Key)
		}),
		"server_name": config.Text(&t.ServerName),
	}
}

func (n *NearCache) block() config.Options {
	return config.Options{
		"max_entries": config.Number(&n.MaxEntries, 1),
		"max_bytes":   config.Memory(&n.MaxBytes),
	}
}

// Remote implements [stores.OnServers].
func (s *Module) Remote() bool {
	opts, err := s.options()
	return err != nil || stores.AnyRemote(opts.Addrs)
}

// Interface guards
var (
	_ caddy.Provisioner     = (*Module)(nil)
	_ stores.Sharer         = (*Module)(nil)
	_ stores.Placed         = (*Module)(nil)
	_ stores.OnServers      = (*Module)(nil)
	_ caddyfile.Unmarshaler = (*Module)(nil)
)
