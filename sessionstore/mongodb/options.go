package mongodb

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore/layout"
)

// The defaults of [Options].
const (
	DefaultDatabase   = "caddy"
	DefaultCollection = "sessions"

	// DefaultPoolSize is the driver's own.
	DefaultPoolSize = 100

	// DefaultDialTimeout and DefaultTimeout are below the second that a session's load or commit
	// may take. The driver looks at a server that is out of reach twice a second at most: a shorter
	// time would miss that it is back.
	DefaultDialTimeout = 600 * time.Millisecond
	DefaultTimeout     = 800 * time.Millisecond

	// maxIdleTime has connections end before a firewall forgets them.
	maxIdleTime = 5 * time.Minute
)

// MaxPrefix is the length of the longest prefix, in bytes.
const MaxPrefix = 200

// Options say how a [Store] uses its database. The zero value of each field stands for its default.
type Options struct {
	// Database is the name of the database, Collection that of the collection in it. Both are made
	// by the server when the first session is. Defaults: caddy, sessions.
	Database, Collection string

	// KeyPrefix comes before every key, and has [MaxPrefix] bytes at most. Default: none.
	KeyPrefix string

	// CreateIndex says that the index is made by which the server deletes what has expired: a TTL
	// index on "expiration". It is never altered. Without one, expired sessions are as good as
	// gone, but stay in the collection.
	CreateIndex bool

	// Layout is how another program makes up the documents, with which they are shared. Default:
	// nil, documents of our own.
	Layout *layout.MongoDB

	// Endless is what the time to live is said to be of a document in a Layout that never expires,
	// having no such time. Default: 0, it is no record.
	Endless time.Duration

	// PoolSize is the largest number of connections to a server that sessions use. Default:
	// maxPoolSize in a mongodb:// URI, or 100.
	PoolSize int

	// DialTimeout bounds how long connecting takes, and finding a server that can be written to.
	// Default: 600 ms.
	DialTimeout time.Duration

	// Timeout bounds how long an operation on the server takes. Default: 800 ms.
	Timeout time.Duration

	// OnState is called when the database is found to be out of reach, with the error, and when it
	// is back, with nil. It must not block.
	OnState func(server string, err error)

	// OnIndexError is called if the server refuses to make the index. It must not block.
	OnIndexError func(err error)
}

var (
	databaseNames   = regexp.MustCompile(`^[A-Za-z0-9_-]{1,63}$`)
	collectionNames = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]{0,119}$`)
)

// complete checks the options and sets their defaults.
func (o *Options) complete() error {
	o.Database = cmp.Or(o.Database, DefaultDatabase)
	o.Collection = cmp.Or(o.Collection, DefaultCollection)
	switch {
	case !databaseNames.MatchString(o.Database):
		return fmt.Errorf("mongodb: database %q: a name is 1 to 63 letters, digits, underscores and hyphens", o.Database)
	case !collectionNames.MatchString(o.Collection) || strings.HasPrefix(o.Collection, "system."):
		return fmt.Errorf("mongodb: collection %q: a name is 1 to 120 letters, digits, underscores, hyphens and dots, and begins "+
			"with a letter or an underscore, but not with system", o.Collection)
	case len(o.KeyPrefix) > MaxPrefix:
		return fmt.Errorf("mongodb: key_prefix: it has %d bytes, and may have %d at most", len(o.KeyPrefix), MaxPrefix)
	case o.PoolSize < 0:
		return fmt.Errorf("mongodb: pool_size %d: it must be greater than 0", o.PoolSize)
	case o.Endless < 0:
		return fmt.Errorf("mongodb: lifetime %s: it must be greater than 0", o.Endless)
	case o.Layout != nil && o.CreateIndex:
		return errors.New("mongodb: create_index: the collection is another program's, and so are its indexes")
	}
	for i := range len(o.KeyPrefix) {
		if c := o.KeyPrefix[i]; c < '!' || c > '~' {
			return errors.New("mongodb: key_prefix: it may hold printable ASCII characters without spaces only")
		}
	}
	for _, t := range []struct {
		name  string
		value *time.Duration
		def   time.Duration
	}{
		{"dial_timeout", &o.DialTimeout, DefaultDialTimeout},
		{"timeout", &o.Timeout, DefaultTimeout},
	} {
		if *t.value = cmp.Or(*t.value, t.def); *t.value < time.Millisecond {
			return fmt.Errorf("mongodb: %s %s: it must be a millisecond at least", t.name, *t.value)
		}
	}
	return nil
}
