package redis

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/caddy-session/caddy-session/caddymodule/stores"
	"github.com/caddy-session/caddy-session/sessionstore/redis"
)

// defaultAddress gets the usual port: that of a server, or of Sentinels.
const defaultAddress = "localhost"

// options resolves the placeholders, and the URL if there is one. No error names what may hold a secret.
func (s *Store) options() (redis.Options, error) {
	opts := redis.Options{
		DB: s.DB, Cluster: s.Cluster, PoolSize: s.PoolSize, WaitReplicas: s.WaitReplicas,
		DialTimeout: time.Duration(s.DialTimeout), ReadTimeout: time.Duration(s.ReadTimeout), WriteTimeout: time.Duration(s.WriteTimeout),
		Pipelining: s.Pipelining == nil || *s.Pipelining,
		KeyPrefix:  defaultPrefix,
	}
	if s.NearCache != nil {
		opts.NearCache = &redis.NearCache{MaxEntries: s.NearCache.MaxEntries, MaxBytes: s.NearCache.MaxBytes}
	}
	for _, o := range []struct {
		name string
		from string
		to   *string
	}{
		{"username", s.Username, &opts.Username},
		{"password", s.Password, &opts.Password},
		{"sentinel_username", s.SentinelUsername, &opts.SentinelUsername},
		{"sentinel_password", s.SentinelPassword, &opts.SentinelPassword},
		{"master", s.Master, &opts.Master},
		{"key_prefix", orDefault(s.KeyPrefix, defaultPrefix), &opts.KeyPrefix},
	} {
		value, err := stores.Resolve(o.name, o.from)
		if err != nil {
			return opts, fmt.Errorf("store redis: %w", err)
		}
		*o.to = value
	}
	for i := range len(opts.KeyPrefix) {
		if c := opts.KeyPrefix[i]; c < '!' || c > '~' {
			return opts, fmt.Errorf("store redis: key_prefix: %q may hold printable ASCII characters without spaces only", opts.KeyPrefix)
		}
	}
	if s.TLS != nil {
		config, err := s.TLS.config()
		if err != nil {
			return opts, fmt.Errorf("store redis: tls: %w", err)
		}
		opts.TLS = config
	}
	addresses := s.Addresses
	if len(addresses) == 0 {
		addresses = []string{defaultAddress}
	}
	for _, from := range addresses {
		address, err := stores.Resolve("address", from)
		if err != nil {
			return opts, fmt.Errorf("store redis: %w", err)
		}
		if strings.Contains(address, "://") {
			if len(addresses) > 1 {
				return opts, errors.New("store redis: a URL must be the only address: write several as host:port, and the rest as options")
			}
			return opts, s.fromURL(address, &opts)
		}
		if address, err = hostPort(address, opts.Master != ""); err != nil {
			return opts, err
		}
		opts.Addrs = append(opts.Addrs, address)
	}
	return opts, nil
}

func hostPort(address string, sentinel bool) (string, error) {
	if path, ok := stores.Socket(address); ok {
		return path, nil
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		host, port = strings.Trim(address, "[]"), "6379"
		if sentinel {
			port = "26379"
		}
	}
	if strings.ContainsAny(address, " /@") || strings.Count(host, ":") == 1 {
		// It is not quoted: it may be a URL without its scheme, with a password.
		return "", errors.New("store redis: address: neither host:port nor a redis:// URL")
	}
	return net.JoinHostPort(host, port), nil
}

// fromURL reads what the URL says. What the options say already must not be there twice.
func (s *Store) fromURL(address string, opts *redis.Options) error {
	if strings.Contains(address, "?") {
		return errors.New("store redis: address: the URL has a query: its options must stand in the block of the store")
	}
	url, err := goredis.ParseURL(address)
	if err != nil {
		// Its errors quote the URL, which may hold a password.
		return errors.New("store redis: address: not a valid redis://, rediss:// or unix:// URL")
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
			return fmt.Errorf("store redis: %s: it stands in the URL too", o.name)
		}
		*o.to = o.from
	}
	if url.DB != 0 {
		if s.DB != 0 {
			return errors.New("store redis: db: it stands in the URL too")
		}
		opts.DB = url.DB
	}
	if url.TLSConfig != nil && opts.TLS == nil {
		opts.TLS = url.TLSConfig
	}
	return nil
}

// fingerprint tells connections apart by all that they are made with. Handlers with the same options share them, and so
// does a configuration that is reloaded. It is a hash, as it may be logged.
func (s *Store) fingerprint(o redis.Options) string {
	hash := sha256.New()
	err := json.NewEncoder(hash).Encode([]any{
		o.Addrs, o.Master, o.Cluster, o.Username, o.Password, o.SentinelUsername, o.SentinelPassword, o.DB, o.KeyPrefix,
		o.PoolSize, o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.Pipelining, o.NearCache, o.WaitReplicas, o.Endless, o.TLS != nil, s.TLS.fingerprint(),
	})
	if err != nil {
		panic(err) // it is strings and numbers
	}
	return hex.EncodeToString(hash.Sum(nil))
}

func orDefault(value *string, def string) string {
	if value == nil {
		return def
	}
	return *value
}
