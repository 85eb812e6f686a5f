package sql

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/layout"
)

// The defaults of [Options].
const (
	DefaultTable = "sessions"

	// DefaultPoolSize leaves some of the 100 connections that PostgreSQL has by default to other
	// proxies.
	DefaultPoolSize = 10

	// DefaultDialTimeout and DefaultTimeout are below the second that a session's load or commit
	// may take.
	DefaultDialTimeout = 500 * time.Millisecond
	DefaultTimeout     = 800 * time.Millisecond

	// DefaultMaxIdleTime and DefaultMaxLifetime have connections end before a firewall forgets
	// them, and move on to the server that a name has come to mean.
	DefaultMaxIdleTime = 5 * time.Minute
	DefaultMaxLifetime = 30 * time.Minute

	DefaultSweepInterval = time.Minute
)

// maxKeyColumn is how long a key may be in our own tables, with its prefix.
const maxKeyColumn = 255

// Options say how a [Store] uses its database. The zero value of each field stands for its default.
type Options struct {
	// Table is the table's name: letters, digits and underscores, in the case that the database has
	// it in. A schema may stand before it, with a dot. Default: sessions.
	Table string

	// Layout is how another program makes up the table, with which its records are shared. It is
	// the program's to delete what has expired. Default: nil, a table of our own.
	Layout *layout.SQL

	// Sequence is where the numbers of new rows come from in another program's table whose column
	// of ids has no default. Default: none.
	Sequence string

	// CreateTable says that the table is made when it is missed. It is never altered.
	CreateTable bool

	// KeyPrefix comes before every key. Default: none.
	KeyPrefix string

	// PoolSize is the largest number of connections. Default: 10.
	PoolSize int

	// DialTimeout bounds how long connecting takes, authentication included. Default: 500 ms.
	DialTimeout time.Duration

	// Timeout bounds how long a statement takes. Default: 800 ms.
	Timeout time.Duration

	// MaxIdleTime is how long a connection is kept unused. Default: 5 minutes.
	MaxIdleTime time.Duration

	// MaxLifetime is how long a connection is used. Default: 30 minutes.
	MaxLifetime time.Duration

	// SweepInterval is how often expired records are deleted, on average. Default: a minute.
	SweepInterval time.Duration

	// OnState is called when the database is found to be out of reach, with the error, and when it
	// is back, with nil. It must not block.
	OnState func(server string, err error)

	// OnSweepError is called when expired records could not be deleted. It must not block.
	OnSweepError func(err error)
}

// Check returns the error that [Open] would.
func Check(d *Driver, dsn string, opts Options) error {
	if err := opts.complete(d); err != nil {
		return err
	}
	_, err := d.Connect(dsn, &opts)
	return err
}

// names leave room for the name of the index, in the 63 bytes that PostgreSQL looks at.
var names = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,54}$`)

// complete checks the options and sets their defaults.
func (o *Options) complete(d *Driver) error {
	o.Table = cmp.Or(o.Table, DefaultTable)
	parts := strings.Split(o.Table, ".")
	if len(parts) > 2 || len(parts) == 2 && !d.Schemas {
		return fmt.Errorf("sql: table %q: it has too many parts", o.Table)
	}
	switch {
	case o.Layout == nil && o.Sequence != "":
		return errors.New("sql: sequence: our own tables need none")
	case o.Sequence != "" && o.Layout.ID == "":
		return errors.New("sql: sequence: the app's table has no column for it")
	case o.Layout != nil && o.CreateTable && o.Layout.Create[d.Name] == nil:
		return errors.New("sql: create_table: the table is the app's to make")
	case o.Sequence != "" && d.Next == "":
		return fmt.Errorf("sql: sequence: %s has none", d.Name)
	case o.Sequence != "" && !names.MatchString(o.Sequence):
		return fmt.Errorf("sql: sequence %q: a name is 1 to 55 letters, digits and underscores, and begins with no digit", o.Sequence)
	case o.Sequence != "" && o.CreateTable:
		return errors.New("sql: create_table: a table with a sequence is the app's to make")
	}
	for _, part := range parts {
		if !names.MatchString(part) {
			return fmt.Errorf("sql: table %q: a name is 1 to 55 letters, digits and underscores, and begins with no digit", o.Table)
		}
	}
	if n := maxKeyColumn - sessionstore.MaxKey; len(o.KeyPrefix) > n {
		return fmt.Errorf("sql: key_prefix: it is longer than %d bytes", n)
	}
	for i := range len(o.KeyPrefix) {
		if c := o.KeyPrefix[i]; c < '!' || c > '~' {
			return errors.New("sql: key_prefix: it may hold printable ASCII characters without spaces only")
		}
	}
	if o.PoolSize = cmp.Or(o.PoolSize, DefaultPoolSize); o.PoolSize < 1 {
		return fmt.Errorf("sql: pool_size %d: it must be greater than 0", o.PoolSize)
	}
	for _, t := range []struct {
		name  string
		value *time.Duration
		def   time.Duration
	}{
		{"dial_timeout", &o.DialTimeout, DefaultDialTimeout},
		{"timeout", &o.Timeout, DefaultTimeout},
		{"max_idle_time", &o.MaxIdleTime, DefaultMaxIdleTime},
		{"max_lifetime", &o.MaxLifetime, DefaultMaxLifetime},
		{"sweep_interval", &o.SweepInterval, DefaultSweepInterval},
	} {
		if *t.value = cmp.Or(*t.value, t.def); *t.value < time.Millisecond {
			return fmt.Errorf("sql: %s %s: it must be a millisecond at least", t.name, *t.value)
		}
	}
	return nil
}
