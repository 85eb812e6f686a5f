package sql

import (
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-session/caddy-session/caddymodule/stores"
	"github.com/caddy-session/caddy-session/internal/addons"
	"github.com/caddy-session/caddy-session/internal/config"
	"github.com/caddy-session/caddy-session/sessionstore/sql"
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
func (s *Module) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // skip the module's name
	right := "the database (" + strings.Join(addons.Databases, ", ") + ") and its dsn or path"
	if err := config.Args(d, "store sql", right, &s.Database, &s.DSN); err != nil {
		return err
	}
	if _, err := find(s.Database); err != nil {
		return d.WrapErr(err)
	}
	return s.block().Read(d, "store sql")
}

func (s *Module) block() config.Options {
	return config.Options{
		"table":          config.Name(&s.Table),
		"sequence":       config.Name(&s.Sequence),
		"create_table":   config.OnOff(&s.CreateTable),
		"key_prefix":     config.Name(&s.KeyPrefix),
		"pool_size":      config.Number(&s.PoolSize, 1),
		"dial_timeout":   config.Duration(&s.DialTimeout),
		"timeout":        config.Duration(&s.Timeout),
		"max_idle_time":  config.Duration(&s.MaxIdleTime),
		"max_lifetime":   config.Duration(&s.MaxLifetime),
		"sweep_interval": config.Duration(&s.SweepInterval),
	}
}

// Remote implements [stores.OnServers].
func (s *Module) Remote() bool {
	driver, err := find(s.Database)
	if err == nil && driver.Inspect != nil {
		return false // a file
	}
	dsn, unresolved := config.Resolve("dsn", s.DSN)
	if err != nil || unresolved != nil {
		return true
	}
	servers, _, _ := strings.Cut(sql.Place(driver, dsn, sql.Options{}), " database ")
	return stores.AnyRemote(strings.Split(servers, ","))
}

// Interface guards
var (
	_ caddy.Provisioner     = (*Module)(nil)
	_ stores.Sharer         = (*Module)(nil)
	_ stores.Placed         = (*Module)(nil)
	_ stores.OnServers      = (*Module)(nil)
	_ caddyfile.Unmarshaler = (*Module)(nil)
)
