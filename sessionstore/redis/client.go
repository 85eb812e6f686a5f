package redis

import (
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// universal returns the options that all clients share. go-redis retries nothing: run retries.
func (o *Options) universal() *goredis.UniversalOptions {
	return &goredis.UniversalOptions{
		Addrs: o.Addrs, MasterName: o.Master, DB: o.DB,
		Username: o.Username, Password: o.Password,
		SentinelUsername: o.SentinelUsername, SentinelPassword: o.SentinelPassword,
		TLSConfig: o.TLS, PoolSize: o.PoolSize,
		DialTimeout: o.DialTimeout, ReadTimeout: o.ReadTimeout, WriteTimeout: o.WriteTimeout,
		PoolTimeout:           o.ReadTimeout,
		ContextTimeoutEnabled: true, // without this go-redis ignores the request's deadline
		MaxRetries:            -1,
		// the default is five dials, 100 ms apart, to a server that is down
		DialerRetries:   1,
		MinRetryBackoff: time.Millisecond,
		MaxRetryBackoff: 20 * time.Millisecond,
		Protocol:        2,
		// Sessions need neither of these, and ACL users would need rights for them.
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		PipelinePoolSize:         -1, // pipelines use the ordinary connections
	}
}

// client creates the go-redis client. It returns the guard too if there is one server.
func (o *Options) client() (goredis.UniversalClient, *guard) {
	u := o.universal()
	switch {
	case o.Master != "":
		c := goredis.NewFailoverClient(u.Failover())
		c.AddHook(newGuard("master "+o.Master, o))
		return c, nil
	case o.cluster():
		opts := u.Cluster()
		opts.DisableRoutingPolicies = true // every command has one key
		c := goredis.NewClusterClient(opts)
		c.OnNewNode(func(node *goredis.Client) { node.AddHook(newGuard(node.Options().Addr, o)) })
		return c, nil
	default:
		c := goredis.NewClient(u.Simple())
		g := newGuard(o.Addrs[0], o)
		c.AddHook(g)
		return c, g
	}
}

// nearClient creates a client with client-side caching: the server sends a push message when a key
// that was read into cache changes.
func (o *Options) nearClient(cache goredis.Cache, g *guard) *goredis.Client {
	u := o.universal()
	u.Protocol = 3
	u.ClientSideCache = cache
	c := goredis.NewClient(u.Simple())
	c.AddHook(g)
	return c
}
