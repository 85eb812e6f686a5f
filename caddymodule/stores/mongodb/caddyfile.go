package mongodb

import (
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-session/caddy-session/caddymodule/stores"
	"github.com/caddy-session/caddy-session/internal/config"
	"github.com/caddy-session/caddy-session/sessionstore/mongodb"
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
func (s *Module) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // skip the module's name
	if err := config.Args(d, "store mongodb", "the uri", &s.URI); err != nil {
		return err
	}
	return s.block().Read(d, "store mongodb")
}

func (s *Module) block() config.Options {
	return config.Options{
		"database":     config.Name(&s.Database),
		"collection":   config.Name(&s.Collection),
		"create_index": config.Given(&s.CreateIndex, config.OnOff),
		"key_prefix":   config.Name(&s.KeyPrefix),
		"pool_size":    config.Number(&s.PoolSize, 1),
		"dial_timeout": config.Duration(&s.DialTimeout),
		"timeout":      config.Duration(&s.Timeout),
	}
}

// Remote implements [stores.OnServers].
func (s *Module) Remote() bool {
	uri, err := config.Resolve("uri", s.URI)
	servers, _, _ := strings.Cut(mongodb.Place(uri, mongodb.Options{}), " ")
	return err != nil || stores.AnyRemote(strings.Split(servers, ","))
}

// Interface guards
var (
	_ caddy.Provisioner     = (*Module)(nil)
	_ stores.Sharer         = (*Module)(nil)
	_ stores.Placed         = (*Module)(nil)
	_ stores.OnServers      = (*Module)(nil)
	_ caddyfile.Unmarshaler = (*Module)(nil)
)
