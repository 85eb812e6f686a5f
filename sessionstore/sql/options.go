package sql

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/caddy-session/caddy-session/internal/remote"
	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/layout"
)

// The defaults of [Options].
const (
	defaultTable = "sessions"

	// defaultPoolSize leaves connections for other proxies: PostgreSQL allows 100 by default.
	defaultPoolSize = 10

	// defaultDialTimeout and defaultTimeout are below the second that loading or committing a
	// session may take.
	defaultDialTimeout = 500 * time.Millisecond
	defaultTimeout     = 800 * time.Millisecond

	// defaultMaxIdleTime closes connections before a firewall drops them. defaultMaxLifetime makes
	// connections follow a change of the server's address in DNS.
	defaultMaxIdleTime = 5 * time.Minute
	defaultMaxLifetime = 30 * time.Minute

	defaultSweepInterval = time.Minute
)

// maxKeyColumn is the maximum length of a key with its prefix in our own tables, in bytes.
const maxKeyColumn = 255

// Options configures a [Store]. The zero value of each field means its default.
type Options struct {
	// Table is the name of the table: letters, digits and underscores, in the case that the
	// database uses. It may begin with a schema and a dot. Default: sessions.
	Table string

	// Layout describes the table of another program, to share its records. That program must delete
	// expired records. Default: nil, a table of our own.
	Layout *layout.SQL

	// Sequence is the sequence for new rows in another program's table whose id column has no
	// default. Default: none.
	Sequence string

	// CreateTable creates the table if it does not exist. An existing table is never altered.
	CreateTable bool

	// KeyPrefix is put before every key. Default: empty.
	KeyPrefix string

	// PoolSize is the maximum number of connections. Default: 10.
	PoolSize int

	// DialTimeout bounds connecting, including authentication. Default: 500 ms.
	DialTimeout time.Duration

	// Timeout bounds a statement. Default: 800 ms.
	Timeout time.Duration

	// MaxIdleTime is how long an unused connection is kept. Default: 5 minutes.
	MaxIdleTime time.Duration

	// MaxLifetime is the maximum age of a connection. Default: 30 minutes.
	MaxLifetime time.Duration

	// SweepInterval is the average time between two deletions of expired records. Default: 1
	// minute.
	SweepInterval time.Duration

	// OnState is called with the error when the database becomes unreachable, and with nil when it
	// is reachable again. It must not block.
	OnState func(server string, err error)

	// OnSweepError is called when expired records could not be deleted. It must not block.
	OnSweepError func(err error)
}

// Check returns the error that [Open] would return.
func Check(d *Driver, dsn string, opts Options) error {
	if err := opts.complete(d); err != nil {
		return err
	}
	_, err := d.Connect(dsn, &opts)
	return err
}

// Place returns where [Open] would keep the records, without secrets, or nothing if it would fail.
func Place(d *Driver, dsn string, opts Options) string {
	opts.Sequence = "" // whose table it is does not matter here
	if opts.complete(d) != nil {
		return ""
	}
	source, err := d.Connect(dsn, &opts)
	if err != nil {
		return ""
	}
	place := source.Server
	if source.Database != "" {
		place += " database " + source.Database
	}
	return place + " table " + opts.Table
}

// names leaves room for the suffix of the index: PostgreSQL reads 63 bytes of a name.
var names = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,54}$`)

// complete checks the options and sets their defaults.
func (o *Options) complete(d *Driver) error {
	o.Table = cmp.Or(o.Table, defaultTable)
	parts := strings.Split(o.Table, ".")
	if len(parts) > 2 || len(parts) == 2 && !d.Schemas {
		return fmt.Errorf("sql: table %q: too many parts", o.Table)
	}
	switch {
	case o.Layout == nil && o.Sequence != "":
		return errors.New("sql: sequence: only for the table of an app")
	case o.Sequence != "" && o.Layout.ID == "":
		return errors.New("sql: sequence: the app's table has no id column")
	case o.Layout != nil && o.CreateTable && o.Layout.Create[d.Name] == nil:
		return errors.New("sql: create_table: the app must create its table")
	case o.Sequence != "" && d.Next == "":
		return fmt.Errorf("sql: sequence: %s has none", d.Name)
	case o.Sequence != "" && !names.MatchString(o.Sequence):
		return fmt.Errorf("sql: sequence %q: a name is 1 to 55 letters, digits and underscores, and does not begin with a digit", o.Sequence)
	case o.Sequence != "" && o.CreateTable:
		return errors.New("sql: create_table: the app must create a table with a sequence")
	}
	for _, part := range parts {
		if !names.MatchString(part) {
			return fmt.Errorf("sql: table %q: a name is 1 to 55 letters, digits and underscores, and does not begin with a digit", o.Table)
		}
	}
	if n := maxKeyColumn - sessionstore.MaxKey; len(o.KeyPrefix) > n {
		return fmt.Errorf("sql: key_prefix: longer than %d bytes", n)
	}
	if err := remote.CheckPrefix("sql", o.KeyPrefix); err != nil {
		return err
	}
	if o.PoolSize = cmp.Or(o.PoolSize, defaultPoolSize); o.PoolSize < 1 {
		return fmt.Errorf("sql: pool_size %d: must be greater than 0", o.PoolSize)
	}
	return cmp.Or(
		remote.SetTimeout("sql: dial_timeout", &o.DialTimeout, defaultDialTimeout),
		remote.SetTimeout("sql: timeout", &o.Timeout, defaultTimeout),
		remote.SetTimeout("sql: max_idle_time", &o.MaxIdleTime, defaultMaxIdleTime),
		remote.SetTimeout("sql: max_lifetime", &o.MaxLifetime, defaultMaxLifetime),
		remote.SetTimeout("sql: sweep_interval", &o.SweepInterval, defaultSweepInterval),
	)
}
