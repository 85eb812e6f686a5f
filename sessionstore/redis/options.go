package redis

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/caddy-session/caddy-session/internal/remote"
)

// The defaults of [Options]. The timeouts are well below the second that loading or committing a
// session may take, so that there is time for another attempt after a server that hangs.
const (
	DefaultDialTimeout  = 300 * time.Millisecond
	DefaultReadTimeout  = 400 * time.Millisecond
	DefaultWriteTimeout = 400 * time.Millisecond

	defaultNearCacheEntries = 10_000
	defaultNearCacheBytes   = 64 << 20

	// MaxStaleness bounds the age of what the near cache returns, even if an invalidation was lost.
	MaxStaleness = time.Second

	// defaultEndless is 100 years.
	defaultEndless = 100 * 365 * 24 * time.Hour
)

// Options selects the servers of a [Store] and configures it.
type Options struct {
	// Addrs are the "host:port" addresses of the server, of the Sentinels if Master is set, or of
	// some nodes of the Cluster. At least one is required. More than one without a Master means a
	// Cluster. A path that begins with "/" is a Unix socket.
	Addrs []string

	// Master is the name of the master that the Sentinels monitor.
	Master string

	// Cluster says that a single address is the node of a Cluster.
	Cluster bool

	// Username and Password log in as an ACL user. Without a Username, Password is that of the
	// default user. A Username needs a Password.
	Username, Password string

	// SentinelUsername and SentinelPassword log in to the Sentinels themselves. They need Master,
	// and a SentinelUsername needs a SentinelPassword.
	SentinelUsername, SentinelPassword string

	// DB is the database number. Default: 0. A Cluster has no other.
	DB int

	// TLS encrypts the connections if it is not nil.
	TLS *tls.Config

	// KeyPrefix is put before every key. It may be empty.
	KeyPrefix string

	// PoolSize is the maximum number of connections to a server, not counting those of the near
	// cache. Default: 10 per CPU.
	PoolSize int

	// DialTimeout bounds connecting to a server. Default: 300 ms.
	DialTimeout time.Duration

	// ReadTimeout bounds waiting for a reply. Default: 400 ms.
	ReadTimeout time.Duration

	// WriteTimeout bounds sending a command. Default: 400 ms.
	WriteTimeout time.Duration

	// Pipelining lets concurrent requests share round trips.
	Pipelining bool

	// NearCache, if not nil, keeps copies of records in this process. It needs a single server,
	// without Sentinel or Cluster, and database 0.
	NearCache *NearCache

	// WaitReplicas is the number of replicas that must confirm a change before the store reports
	// success. Such changes are not pipelined. Default: 0, the master alone.
	WaitReplicas int

	// Endless is the time to live that the store reports for a record without an expiry, which only
	// other programs write. Default: 100 years.
	Endless time.Duration

	// OnState is called with the error when a server becomes unreachable, and with nil when it is
	// reachable again. It must not block.
	OnState func(addr string, err error)

	// OnNearCache is called with the error when the server refuses client-side caching, and with
	// nil when the near cache works again. It must not block.
	OnNearCache func(addr string, err error)
}

// NearCache bounds the copies of records that a [Store] keeps in this process. The server reports
// when to drop one.
type NearCache struct {
	// MaxEntries is the maximum number of copies. Default: 10,000.
	MaxEntries int

	// MaxBytes is the maximum memory of the copies, in bytes. A record larger than a sixteenth of
	// it is not copied. Default: 64 MiB.
	MaxBytes int64
}

// Check returns the error that [Open] would return for these options.
func (o Options) Check() error { return o.complete() }

// complete checks the options and sets their defaults.
func (o *Options) complete() error {
	cluster := o.cluster()
	switch {
	case len(o.Addrs) == 0:
		return errors.New("redis: no address")
	case o.DB < 0:
		return fmt.Errorf("redis: db %d: must be 0 or greater", o.DB)
	case cluster && o.DB != 0:
		return fmt.Errorf("redis: db %d: a Cluster has database 0 only", o.DB)
	case o.Cluster && o.Master != "":
		return errors.New("redis: use either master or cluster, not both")
	case o.Username != "" && o.Password == "":
		return errors.New("redis: username: it needs a password; without one, the server takes every connection for its default user's")
	case o.SentinelUsername != "" && o.SentinelPassword == "":
		return errors.New("redis: sentinel_username: it needs sentinel_password")
	case o.SentinelPassword != "" && o.Master == "":
		return errors.New("redis: sentinel_password: it needs master, the name that the Sentinels monitor")
	case o.PoolSize < 0:
		return fmt.Errorf("redis: pool_size %d: must be greater than 0", o.PoolSize)
	case o.WaitReplicas < 0:
		return fmt.Errorf("redis: wait_replicas %d: must be 0 or greater", o.WaitReplicas)
	}
	if err := remote.CheckPrefix("redis", o.KeyPrefix); err != nil {
		return err
	}
	err := cmp.Or(
		remote.SetTimeout("redis: dial_timeout", &o.DialTimeout, DefaultDialTimeout),
		remote.SetTimeout("redis: read_timeout", &o.ReadTimeout, DefaultReadTimeout),
		remote.SetTimeout("redis: write_timeout", &o.WriteTimeout, DefaultWriteTimeout),
	)
	if err != nil {
		return err
	}
	o.Endless = cmp.Or(o.Endless, defaultEndless)
	o.PoolSize = cmp.Or(o.PoolSize, 10*runtime.GOMAXPROCS(0))
	if o.NearCache == nil {
		return nil
	}
	switch {
	case cluster:
		return errors.New("redis: near_cache does not work with a Cluster")
	case o.Master != "":
		return errors.New("redis: near_cache does not work with Sentinel (master)")
	case o.DB != 0:
		return fmt.Errorf("redis: near_cache works with db 0 only, not with %d", o.DB)
	case o.NearCache.MaxEntries < 0 || o.NearCache.MaxBytes < 0:
		return errors.New("redis: near_cache: limits must be greater than 0")
	}
	near := *o.NearCache
	near.MaxEntries = cmp.Or(near.MaxEntries, defaultNearCacheEntries)
	near.MaxBytes = cmp.Or(near.MaxBytes, defaultNearCacheBytes)
	o.NearCache = &near
	return nil
}

func (o *Options) cluster() bool {
	return o.Master == "" && (o.Cluster || len(o.Addrs) > 1)
}
