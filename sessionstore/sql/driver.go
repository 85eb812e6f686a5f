package sql

import (
	"context"
	"database/sql/driver"

	"github.com/caddy-session/caddy-session/internal/folder"
)

// Driver describes one database product. Its statements and expressions are templates. {table},
// {index}, {key}, {value} and {expires} stand for names; {now}, {after} and {begin} for the
// expressions in [Times]; {id} and {next} for a further column and its value, each with a comma, or
// for nothing; and ? for the next parameter.
type Driver struct {
	// Name is the name of the database in the configuration.
	Name string

	// Connect parses a DSN. It does no I/O except for files, and its errors do not contain the DSN.
	Connect func(dsn string, opts *Options) (Source, error)

	// Quote encloses a name.
	Quote byte

	// Schemas says that a table's name may begin with a schema or database.
	Schemas bool

	// Numbered says that parameters are $1, $2 and so on.
	Numbered bool

	// Prepare says that the pool must prepare statements, because the driver does not do so by
	// itself.
	Prepare bool

	// OneWriter says that the database allows one writer at a time. Writers then queue in this
	// process.
	OneWriter bool

	// Times are the expressions for our own tables, Naive those for columns that hold UTC without a
	// time zone, as other programs make them.
	Times, Naive Times

	// Size is an expression for the length of a value in bytes.
	Size string

	// Next is an expression for the next number of {sequence}. Empty: the database has no
	// sequences.
	Next string

	// Bytewise is {key} with an ordering byte by byte, which uses the index of a table of our own.
	Bytewise string

	// Create inserts a record (key, value, milliseconds) if there is no live one. Otherwise it
	// changes no row.
	Create string

	// Sweep deletes expired records, at most as many as its parameter says.
	Sweep string

	// Table are the statements that create a table of our own.
	Table []string

	// Key and Value are the types that these columns may have, Text those of the key in another
	// program's table.
	Key, Value, Text []string

	// Unique is a query that fails or returns no row unless the key is unique.
	Unique string

	// Inspect reports why a database in a file cannot be used, without writing. Nil: the database
	// is not a file.
	Inspect func(ctx context.Context, dsn string, opts *Options) error

	// Fault classifies an error that the database replied, and reports false for any other error.
	// The text of the fault contains no keys, values or secrets.
	Fault func(err error) (Fault, bool)
}

// Times are expressions for times in a column of one of the Types.
type Times struct {
	// Types are the types that the column may have, as the database names them.
	Types []string

	// Now is the database's clock. After is the time that many milliseconds from now. Left is the
	// number of microseconds until {expires}. Begin is the clock at the start of the statement: the
	// same as Now unless only Begin can use an index.
	Now, After, Left, Begin string
}

// Source is a database to connect to.
type Source struct {
	// Connector makes the connections.
	Connector driver.Connector

	// Server is the address of the server, or the file of the database, for logs.
	Server string

	// Database is the name of the database, if a server has several.
	Database string

	// Place is the file of the database, if it is one.
	Place *folder.Place

	// Secret is the password, if there is one. No error contains it.
	Secret string
}

// Fault is an error that the database replied.
type Fault struct {
	// Kind says what to do, Text what is wrong. Text is safe to log.
	Kind FaultKind
	Text string
}

// FaultKind says what an error means for the statement.
type FaultKind int

const (
	// Refused: the statement was not applied, and another attempt would fail too.
	Refused FaultKind = iota
	// Transient: the statement was not applied, and another attempt may succeed, as after a
	// deadlock.
	Transient
	// Lost: the statement may have been applied, since the connection ended.
	Lost
	// NoTable: the table does not exist.
	NoTable
	// ReadOnly: the statement was not applied, because the server is read-only, as after a
	// failover. A new connection may lead to its successor.
	ReadOnly
)
