package redis_test

import (
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore/redis"
)

func TestOptions(t *testing.T) {
	t.Parallel()
	one, two := []string{"localhost:1"}, []string{"localhost:1", "localhost:2"}
	for name, test := range map[string]struct {
		opts redis.Options
		want string // "" means that the options are valid
	}{
		"one server":              {redis.Options{Addrs: one}, ""},
		"a socket":                {redis.Options{Addrs: []string{"/run/redis.sock"}}, ""},
		"a database":              {redis.Options{Addrs: one, DB: 15}, ""},
		"a cluster":               {redis.Options{Addrs: two}, ""},
		"a cluster by one":        {redis.Options{Addrs: one, Cluster: true}, ""},
		"sentinel":                {redis.Options{Addrs: two, Master: "m", DB: 3}, ""},
		"the shortest timeouts":   {redis.Options{Addrs: one, DialTimeout: time.Millisecond, ReadTimeout: time.Millisecond, WriteTimeout: time.Millisecond}, ""},
		"near cache":              {redis.Options{Addrs: one, NearCache: &redis.NearCache{MaxEntries: 1, MaxBytes: 1}}, ""},
		"the widest prefix":       {redis.Options{Addrs: one, KeyPrefix: "!~"}, ""},
		"a prefix with a space":   {redis.Options{Addrs: one, KeyPrefix: "a "}, `redis: key_prefix: "a ": only printable ASCII characters without spaces are allowed`},
		"a prefix with a DEL":     {redis.Options{Addrs: one, KeyPrefix: "\x7f"}, `redis: key_prefix: "\x7f": only printable ASCII characters without spaces are allowed`},
		"no address":              {redis.Options{}, "redis: no address"},
		"a negative db":           {redis.Options{Addrs: one, DB: -1}, "redis: db -1: must be 0 or greater"},
		"a cluster with db":       {redis.Options{Addrs: two, DB: 1}, "redis: db 1: a Cluster has database 0 only"},
		"a cluster of one, db":    {redis.Options{Addrs: one, Cluster: true, DB: 1}, "redis: db 1: a Cluster has database 0 only"},
		"master and cluster":      {redis.Options{Addrs: one, Cluster: true, Master: "m"}, "redis: use either master or cluster, not both"},
		"a user, no password":     {redis.Options{Addrs: one, Username: "u"}, "redis: username: it needs a password; without one, the server takes every connection for its default user's"},
		"a password, no user":     {redis.Options{Addrs: one, Password: "p"}, ""},
		"a sentinels' user alone": {redis.Options{Addrs: one, Master: "m", SentinelUsername: "u"}, "redis: sentinel_username: it needs sentinel_password"},
		"sentinels, no master":    {redis.Options{Addrs: two, SentinelPassword: "p"}, "redis: sentinel_password: it needs master, the name that the Sentinels monitor"},
		"a negative pool":         {redis.Options{Addrs: one, PoolSize: -1}, "redis: pool_size -1: must be greater than 0"},
		"negative replicas":       {redis.Options{Addrs: one, WaitReplicas: -1}, "redis: wait_replicas -1: must be 0 or greater"},
		"dialing too short":       {redis.Options{Addrs: one, DialTimeout: time.Millisecond - 1}, "redis: dial_timeout 999.999µs: must be at least 1ms"},
		"reading too short":       {redis.Options{Addrs: one, ReadTimeout: -time.Second}, "redis: read_timeout -1s: must be at least 1ms"},
		"writing too short":       {redis.Options{Addrs: one, WriteTimeout: 1}, "redis: write_timeout 1ns: must be at least 1ms"},
		"near cache, a cluster":   {redis.Options{Addrs: two, NearCache: new(redis.NearCache)}, "redis: near_cache does not work with a Cluster"},
		"near cache, sentinel":    {redis.Options{Addrs: two, Master: "m", NearCache: new(redis.NearCache)}, "redis: near_cache does not work with Sentinel (master)"},
		"near cache, db":          {redis.Options{Addrs: one, DB: 1, NearCache: new(redis.NearCache)}, "redis: near_cache works with db 0 only, not with 1"},
		"near cache, -1 entries":  {redis.Options{Addrs: one, NearCache: &redis.NearCache{MaxEntries: -1}}, "redis: near_cache: limits must be greater than 0"},
		"near cache, -1 bytes":    {redis.Options{Addrs: one, NearCache: &redis.NearCache{MaxBytes: -1}}, "redis: near_cache: limits must be greater than 0"},
		"near cache, the default": {redis.Options{Addrs: one, NearCache: new(redis.NearCache)}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := ""
			if err := test.opts.Check(); err != nil {
				got = err.Error()
			}
			if got != test.want {
				t.Errorf("checked: %q, want %q", got, test.want)
			}
			s, err := redis.Open(test.opts) // Open does no I/O
			if (err == nil) != (test.want == "") || err != nil && err.Error() != test.want {
				t.Errorf("opened: %v, want %q", err, test.want)
			}
			if s != nil {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// Open sets defaults in a copy of the options.
func TestOpenLeavesOptionsUnchanged(t *testing.T) {
	t.Parallel()
	o := redis.Options{Addrs: []string{"localhost:1"}, NearCache: new(redis.NearCache)}
	open(t, o)
	if o.DialTimeout != 0 || *o.NearCache != (redis.NearCache{}) {
		t.Error("the options have changed")
	}
}
