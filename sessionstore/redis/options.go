package redis

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"runtime"
	"time"
)

// The defaults of [Options]. The timeouts are well below the second that a session's load or commit may take, so that
// a server that hangs leaves time for another attempt.
const (
	DefaultDialTimeout  = 300 * time.Millisecond
	DefaultReadTimeout  = 400 * time.Millisecond
	DefaultWriteTimeout = 400 * time.Millisecond

	DefaultNearCacheEntries = 10_000
	DefaultNearCacheBytes   = 64 << 20

	// MaxStaleness is how old what the near cache answers can be at most, however the news of a change got lost.
	MaxStaleness = time.Second

	// DefaultEndless is as good as never.
	DefaultEndless = 100 * 365 * 24 * time.Hour
)

// Options say which servers a [Store] uses, and how.
type Options struct {
	// Addrs are "host:port" of the server; of the Sentinels, if there is a Master; or of some nodes of
	// the Cluster: more than one address without a Master means a Cluster. At least one.
	// A path that begins with "/" is a Unix socket.
	Addrs []string

	// Master is the name under which the Sentinels know the master.
	Master string

	// Cluster says that the server is a node of a Cluster, if there is one address only.
	Cluster bool

	// Username and Password are those of an ACL user. Without a username it is the default user's password.
	Username, Password string

	// SentinelUsername and SentinelPassword are for the Sentinels themselves.
	SentinelUsername, SentinelPassword string

	// DB is the number of the database. A Cluster has number 0 only, the default.
	DB int

	// TLS is used if it is not nil.
	TLS *tls.Config

	// KeyPrefix comes before every key. It may be empty.
	KeyPrefix string

	// PoolSize is the largest number of connections to a server that commands of their own use. Default: 10 for each
	// processor.
	PoolSize int

	// DialTimeout bounds how long connecting takes. Default: 300 ms.
	DialTimeout time.Duration

	// ReadTimeout bounds how long a reply takes. Default: 400 ms.
	ReadTimeout time.Duration

	// WriteTimeout bounds how long sending a command takes. Default: 400 ms.
	WriteTimeout time.Duration

	// Pipelining has concurrent requests share round trips.
	Pipelining bool

	// NearCache keeps copies of records in this process if it is not nil. It
	// needs one server, without Sentinel or Cluster, and database 0.
	NearCache *NearCache

	// WaitReplicas is how many replicas must have a change before it is answered. Changes are not pipelined then.
	// Default: 0, the master alone.
	WaitReplicas int

	// Endless is what the time to live is said to be of a record that has none, which only other programs write.
	// Default: 100 years.
	Endless time.Duration

	// OnState is called when a server is found to be out of reach, with the error, and when it is back, with nil.
	// It must not block.
	OnState func(addr string, err error)

	// OnNearCache is called when the near cache is found not to work, since the server will not tell of changes, with its error, and
	// when it works again, with nil. It must not block.
	OnNearCache func(addr string, err error)
}

// NearCache bounds the copies of records that the server tells this process to drop when they change.
type NearCache struct {
	// MaxEntries is how many records there are copies of at most. Default: 10,000.
	MaxEntries int

	// MaxBytes is how much memory they take at most, in bytes. A record larger than a sixteenth of it is not
	// copied. Default: 64 MiB.
	MaxBytes int64
}

// Check returns the error that [Open] would.
func (o Options) Check() error { return o.complete() }

// complete checks the options and sets their defaults.
func (o *Options) complete() error {
	cluster := o.cluster()
	switch {
	case len(o.Addrs) == 0:
		return errors.New("redis: no address")
	case o.DB < 0:
		return fmt.Errorf("redis: db %d: it must be 0 or greater", o.DB)
	case cluster && o.DB != 0:
		return fmt.Errorf("redis: db %d: a Cluster has database 0 only", o.DB)
	case o.Cluster && o.Master != "":
		return errors.New("redis: master and cluster exclude each other")
	case o.PoolSize < 0:
		return fmt.Errorf("redis: pool_size %d: it must be greater than 0", o.PoolSize)
	case o.WaitReplicas < 0:
		return fmt.Errorf("redis: wait_replicas %d: it must be 0 or greater", o.WaitReplicas)
	}
	for _, t := range []struct {
		name  string
		value *time.Duration
		def   time.Duration
	}{
		{"dial_timeout", &o.DialTimeout, DefaultDialTimeout},
		{"read_timeout", &o.ReadTimeout, DefaultReadTimeout},
		{"write_timeout", &o.WriteTimeout, DefaultWriteTimeout},
	} {
		if *t.value = cmp.Or(*t.value, t.def); *t.value < time.Millisecond {
			return fmt.Errorf("redis: %s %s: it must be a millisecond at least", t.name, *t.value)
		}
	}
	o.Endless = cmp.Or(o.Endless, DefaultEndless)
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
		return errors.New("redis: near_cache: its limits must be greater than 0")
	}
	near := *o.NearCache
	near.MaxEntries = cmp.Or(near.MaxEntries, DefaultNearCacheEntries)
	near.MaxBytes = cmp.Or(near.MaxBytes, DefaultNearCacheBytes)
	o.NearCache = &near
	return nil
}

func (o *Options) cluster() bool {
	return o.Master == "" && (o.Cluster || len(o.Addrs) > 1)
}
