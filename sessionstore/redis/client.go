package redis

import (
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// universal are the options of all clients. They repeat nothing by themselves where that can be helped: see run.
func (o *Options) universal() *goredis.UniversalOptions {
	return &goredis.UniversalOptions{
		Addrs: o.Addrs, MasterName: o.Master, DB: o.DB,
		Username: o.Username, Password: o.Password,
		SentinelUsername: o.SentinelUsername, SentinelPassword: o.SentinelPassword,
		TLSConfig: o.TLS, PoolSize: o.PoolSize,
		DialTimeout: o.DialTimeout, ReadTimeout: o.ReadTimeout, WriteTimeout: o.WriteTimeout,
		PoolTimeout:           o.ReadTimeout,
		ContextTimeoutEnabled: true, // or a request's own deadline would not count
		MaxRetries:            -1,
		DialerRetries:         1, // by default a server that is down costs five times 100 ms
		MinRetryBackoff:       time.Millisecond,
		MaxRetryBackoff:       20 * time.Millisecond,
		Protocol:              2,
		// What is not needed for sessions, ACL users need no rights for.
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		PipelinePoolSize:         -1, // pipelines use the connections that there are
	}
}

// client makes the client of go-redis, and where there is one server, its guard.
func (o *Options) client() (goredis.UniversalClient, *guard) {
	u := o.universal()
	switch {
	case o.Master != "":
		c := goredis.NewFailoverClient(u.Failover())
		c.AddHook(newGuard("master "+o.Master, o))
		return c, nil
	case o.cluster():
		opts := u.Cluster()
		opts.DisableRoutingPolicies = true // all that is sent has one key
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

// nearClient makes a client that the server tells, by push messages, what has changed of all that it has read into the cache.
func (o *Options) nearClient(cache goredis.Cache, g *guard) *goredis.Client {
	u := o.universal()
	u.Protocol = 3
	u.ClientSideCache = cache
	c := goredis.NewClient(u.Simple())
	c.AddHook(g)
	return c
}
