// Package layout says in plain data how another program keeps its records in a store, so that the
// store can share them with it in place: in which columns, under which flags, with which expiry.
// What a record holds and under which key it is, a codec says: the keys that a store is asked for
// are complete, with the program's own prefix.
package layout

import (
	"io/fs"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// Layout is how a program keeps its records in one store. Each type of this package is for the
// store that has its name; a store that is kept elsewhere has a type of its own.
type Layout interface {
	// Store is the name of the store, as the configuration has it.
	Store() string
}

// Redis is a string for each record, which expires. One without an expiry is a record too.
type Redis struct{}

// Memcached is an item for each record, which expires.
type Memcached struct {
	// Plain are the flags that the items of the program's client may have without meaning anything:
	// the value is the record. New items have none.
	Plain uint32

	// Zlib is the flag of an item whose value the client has compressed.
	Zlib uint32
}

// MongoDB is a document for each record.
type MongoDB struct {
	// Database is the program's own default. Empty: it has none.
	Database string

	// Key, Value and Expires are the fields. If Key is not "_id", nothing need keep two documents
	// from having the same: the one that the server finds first is the record. Value is binary data
	// of the generic kind, Expires a date.
	Key, Value, Expires string
}

// SQL is a row for each record.
type SQL struct {
	// Key, Value and Expires are the columns: text with a unique index, binary data, and a time. A
	// row without a time is not there.
	Key, Value, Expires string

	// ID is a further column, of numbers that may have to be taken from a sequence. Empty: there is
	// none.
	ID string

	// Naive says that the times are in UTC, in a type without a time zone.
	Naive bool

	// Create are the statements that make the table as the program would, by the names of
	// databases. In them {table} stands for its name, and {key}, {value} and {expires} for those of
	// the columns. Where there are none, the table is the program's to make.
	Create map[string][]string
}

// File is a folder in a form of the program's own.
type File struct {
	// Format names the form, with all that Open goes by: two with the same name share what is open.
	Format string

	// Open opens a folder. It does no I/O.
	Open func(Folder) FolderStore
}

// Folder is a folder to open.
type Folder struct {
	Dir string

	// Endless is what the time to live is said to be of a record that does not expire.
	Endless time.Duration

	// OnError is told that the folder is out of reach, and nil when it is there again. OnEvict is
	// told that as many records that were still valid had to make room. Neither may block.
	OnError func(error)
	OnEvict func(n int)
}

// FolderStore is a store in a folder.
type FolderStore interface {
	sessionstore.Store

	// Set sets the mode of files and how many records there may be, 0 for any number, for what is
	// written from then on.
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
