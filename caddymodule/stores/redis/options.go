package redis

import (
	"errors"
	"fmt"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/caddy-session/caddy-session/internal/config"
	"github.com/caddy-session/caddy-session/sessionstore/redis"
)

// defaultAddress is completed with the default port of a server or of a Sentinel.
const defaultAddress = "localhost"

// options returns the options with placeholders replaced and with the values of the URL, if there
// is one. Errors contain nothing that may be secret.
func (s *Module) options() (redis.Options, error) {
	opts := redis.Options{
		DB: s.DB, Cluster: s.Cluster, PoolSize: s.PoolSize, WaitReplicas: s.WaitReplicas,
		DialTimeout: time.Duration(s.DialTimeout), ReadTimeout: time.Duration(s.ReadTimeout), WriteTimeout: time.Duration(s.WriteTimeout),
		Pipelining: config.Or(s.Pipelining, true),
	}
	if s.NearCache != nil {
		opts.NearCache = &redis.NearCache{MaxEntries: s.NearCache.MaxEntries, MaxBytes: s.NearCache.MaxBytes}
	}
	err := config.ResolveAll(
		config.From("username", s.Username, &opts.Username),
		config.From("password", s.Password, &opts.Password),
		config.From("sentinel_username", s.SentinelUsername, &opts.SentinelUsername),
		config.From("sentinel_password", s.SentinelPassword, &opts.SentinelPassword),
		config.From("master", s.Master, &opts.Master),
		config.From("key_prefix", config.Or(s.KeyPrefix, defaultPrefix), &opts.KeyPrefix),
	)
	if err != nil {
		return opts, err
	}
	if s.TLS != nil {
		config, err := s.TLS.config()
		if err != nil {
			return opts, fmt.Errorf("tls: %w", err)
		}
		opts.TLS = config
	}
	addresses := s.Addresses
	if len(addresses) == 0 {
		addresses = []string{defaultAddress}
	}
	port := "6379"
	if opts.Master != "" {
		port = "26379"
	}
	for _, from := range addresses {
		address, err := config.Resolve("address", from)
		if err != nil {
			return opts, err
		}
		if strings.Contains(address, "://") {
			if len(addresses) > 1 {
				return opts, errors.New("a URL must be the only address: write several addresses as host:port, and the rest as options")
			}
			return opts, s.fromURL(address, &opts)
		}
		if address, err = config.Address(address, port, "a redis:// URL"); err != nil {
			return opts, err
		}
		opts.Addrs = append(opts.Addrs, address)
	}
	return opts, nil
}

// fromURL reads the values of the URL. A value must not be set both there and as an option.
func (s *Module) fromURL(address string, opts *redis.Options) error {
	if strings.Contains(address, "?") {
		return errors.New("address: the URL has a query: set its options in the block of the store")
	}
	url, err := goredis.ParseURL(address)
	if err != nil {
		// Its errors quote the URL, which may contain a password.
		return errors.New("address: not a valid redis://, rediss:// or unix:// URL")
	}
	opts.Addrs = []string{url.Addr}
	for _, o := range []struct {
		name string
		from string
		to   *string
	}{{"username", url.Username, &opts.Username}, {"password", url.Password, &opts.Password}} {
		if o.from == "" {
			continue
		}
		if *o.to != "" {
			return fmt.Errorf("%s: also set in the URL", o.name)
		}
		*o.to = o.from
	}
	if url.DB != 0 {
		if s.DB != 0 {
			return errors.New("db: also set in the URL")
		}
		opts.DB = url.DB
	}
	if url.TLSConfig != nil && opts.TLS == nil {
		opts.TLS = url.TLSConfig
	}
	return nil
}
