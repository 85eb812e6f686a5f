// Package layout describes, as plain data, how another program keeps its records in a store:
// columns, flags, expiry. A store with a layout shares these records in place. A layout does not
// say what a record or a key looks like. That is the codec's job, and the keys that a store gets
// are complete, with the program's own prefix.
package layout

import (
	"io/fs"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// Layout describes how a program keeps its records in one kind of store. Each type of this package
// is for the store of the same name. A store in another module has a layout type of its own.
type Layout interface {
	// Store returns the name of the store in the configuration.
	Store() string
}

// Redis is the layout of records that are strings with an expiry. A string without an expiry is a
// record too.
type Redis struct{}

// Memcached is the layout of records that are items with an expiry.
type Memcached struct {
	// Plain are the flags of the program's client that do not change the value: the value is the
	// record. New items have no flags.
	Plain uint32

	// Zlib is the flag of an item whose value is zlib-compressed.
	Zlib uint32
}

// MongoDB is the layout of records that are documents.
type MongoDB struct {
	// Database is the program's default database. Empty: it has none.
	Database string

	// Key, Value and Expires are the names of the fields. Value is generic binary data, Expires a
	// date. If Key is not "_id", two documents may have the same key: the first one that the server
	// finds is the record.
	Key, Value, Expires string
}

// SQL is the layout of records that are rows.
type SQL struct {
	// Key, Value and Expires are the names of the columns: text with a unique index, binary data,
	// and a time. A row without a time is ignored.
	Key, Value, Expires string

	// ID is the name of a further, numeric column, which may need a sequence. Empty: there is none.
	ID string

	// Naive says that times are in UTC, in a type without a time zone.
	Naive bool

	// Create are the statements that create the table as the program would, by database name.
	// {table} stands for the table's name, {key}, {value} and {expires} for those of the columns. A
	// database without statements needs a table that the program created.
	Create map[string][]string
}

// File is the layout of records that are files in a folder, in a format of the program's own.
type File struct {
	// Format is the name of the format with everything that Open depends on: two layouts with the
	// same Format share an open folder.
	Format string

	// Unbounded says that the program knows no maximum number of records.
	Unbounded bool

	// Open opens a folder. It does no I/O.
	Open func(Folder) FolderStore
}

// Folder describes a folder to open.
type Folder struct {
	// Dir is the path of the folder.
	Dir string

	// Endless is the time to live that is reported for a record without an expiry.
	Endless time.Duration

	// OnError is called with the error when the folder becomes unusable, and with nil when it is
	// usable again. OnEvict is called with the number of live records that were evicted to make
	// room. Neither may block.
	OnError func(error)
	OnEvict func(n int)
}

// FolderStore is a store in a folder.
type FolderStore interface {
	sessionstore.Store

	// Set sets the mode of files, and the maximum number of records (0: no maximum). Both apply to
	// later writes.
	Set(mode fs.FileMode, threshold int)
}

// Store implements [Layout].
func (Redis) Store() string { return "redis" }

// Store implements [Layout].
func (Memcached) Store() string { return "memcached" }

// Store implements [Layout].
func (MongoDB) Store() string { return "mongodb" }

// Store implements [Layout].
func (SQL) Store() string { return "sql" }

// Store implements [Layout].
func (File) Store() string { return "file" }
