package mongodb

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/caddy-session/caddy-session/internal/remote"
	"github.com/caddy-session/caddy-session/sessionstore/layout"
)

// The defaults of [Options].
const (
	defaultDatabase   = "caddy"
	defaultCollection = "sessions"

	// defaultPoolSize is the driver's default.
	defaultPoolSize = 100

	// defaultDialTimeout and defaultTimeout are below the second that loading or committing a
	// session may take. They are not shorter because the driver checks an unreachable server only
	// twice a second, and would miss its return.
	defaultDialTimeout = 600 * time.Millisecond
	defaultTimeout     = 800 * time.Millisecond

	// maxIdleTime closes idle connections before a firewall drops them.
	maxIdleTime = 5 * time.Minute
)

// MaxPrefix is the maximum length of a key prefix, in bytes.
const MaxPrefix = 200

// Options configures a [Store]. The zero value of each field means its default.
type Options struct {
	// Database and Collection are the names of the database and of the collection in it. The server
	// creates both with the first session. Defaults: caddy, sessions.
	Database, Collection string

	// KeyPrefix is put before every key. It has at most [MaxPrefix] bytes. Default: empty.
	KeyPrefix string

	// CreateIndex creates a TTL index on "expiration", with which the server deletes expired
	// sessions. It is created again within an hour if somebody drops the collection. An existing
	// index is never changed. Without an index, expired sessions are ignored but stay in the
	// collection.
	CreateIndex bool

	// Layout describes the documents of another program, to share them. Default: nil, documents of
	// our own.
	Layout *layout.MongoDB

	// Endless is the time to live that the store reports for a document in a Layout without an
	// expiry. Default: 0, such a document is not a record.
	Endless time.Duration

	// PoolSize is the maximum number of connections to a server for sessions. Default: maxPoolSize
	// in a mongodb:// URI, or 100.
	PoolSize int

	// DialTimeout bounds connecting to a server and finding a writable one. Default: 600 ms.
	DialTimeout time.Duration

	// Timeout bounds an operation on the server. Default: 800 ms.
	Timeout time.Duration

	// OnState is called with the error when the database becomes unreachable, and with nil when it
	// is reachable again. It must not block.
	OnState func(server string, err error)

	// OnIndexError is called if the server refuses to create the index. It must not block.
	OnIndexError func(err error)
}

var (
	databaseNames   = regexp.MustCompile(`^[A-Za-z0-9_-]{1,63}$`)
	collectionNames = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]{0,119}$`)
)

// complete checks the options and sets their defaults.
func (o *Options) complete() error {
	o.Database = cmp.Or(o.Database, defaultDatabase)
	o.Collection = cmp.Or(o.Collection, defaultCollection)
	switch {
	case !databaseNames.MatchString(o.Database):
		return fmt.Errorf("mongodb: database %q: a name is 1 to 63 letters, digits, underscores and hyphens", o.Database)
	case !collectionNames.MatchString(o.Collection) || strings.HasPrefix(o.Collection, "system."):
		return fmt.Errorf("mongodb: collection %q: a name is 1 to 120 letters, digits, underscores, hyphens and dots, and begins "+
			"with a letter or an underscore, but not with system", o.Collection)
	case len(o.KeyPrefix) > MaxPrefix:
		return fmt.Errorf("mongodb: key_prefix: %d bytes, the maximum is %d", len(o.KeyPrefix), MaxPrefix)
	case o.PoolSize < 0:
		return fmt.Errorf("mongodb: pool_size %d: must be greater than 0", o.PoolSize)
	case o.Endless < 0:
		return fmt.Errorf("mongodb: lifetime %s: must be greater than 0", o.Endless)
	case o.Layout != nil && o.CreateIndex:
		return errors.New("mongodb: create_index: the collection and its indexes belong to another program")
	}
	if err := remote.CheckPrefix("mongodb", o.KeyPrefix); err != nil {
		return err
	}
	return cmp.Or(
		remote.SetTimeout("mongodb: dial_timeout", &o.DialTimeout, defaultDialTimeout),
		remote.SetTimeout("mongodb: timeout", &o.Timeout, defaultTimeout),
	)
}
