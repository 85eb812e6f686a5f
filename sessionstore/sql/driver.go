package sql

import (
	"context"
	"database/sql/driver"

	"github.com/caddy-session/caddy-session/internal/folder"
)

// Driver is what differs from one database to the next. Its statements and expressions are
// templates: {table}, {index}, {key}, {value} and {expires} stand for names, {now}, {after} and
// {begin} for the driver's own expressions, {id} and {next} for a further column and what goes into
// it, each with a comma, or nothing, and ? for the next parameter.
type Driver struct {
	// Name is that of the database, as the configuration has it.
	Name string

	// Connect reads a dsn. It does no I/O but for files, and its errors do not hold the dsn.
	Connect func(dsn string, opts *Options) (Source, error)

	// Quote stands before and after a name.
	Quote byte

	// Schemas says that a table's name may have a schema, or a database, before it.
	Schemas bool

	// Numbered says that parameters are $1, $2 and so on.
	Numbered bool

	// Prepare says that statements are prepared by hand, since the driver does not do it by itself.
	Prepare bool

	// OneWriter says that the database has one writer at a time, so that they queue here.
	OneWriter bool

	// Moments are the times in a table of our own, Naive in one that holds UTC without saying so,
	// which is other programs' habit.
	Moments, Naive Moments

	// Size is how many bytes a value has.
	Size string

	// Next is the next number of a {sequence}. Empty: there are no sequences.
	Next string

	// Create inserts a record (key, value, milliseconds) if there is none that lives, and changes
	// no row otherwise.
	Create string

	// Sweep deletes some of the expired records, as many as its parameter says.
	Sweep string

	// Table are the statements that make a table of our own.
	Table []string

	// Key and Value are the types of the columns, one of which each must have; Text those of a key
	// in another program's table.
	Key, Value, Text []string

	// Unique is a query that fails, or returns no row, if the key is not unique.
	Unique string

	// Inspect finds out whether a database that is a file could be used, without writing. Nil: the
	// database is no file.
	Inspect func(ctx context.Context, dsn string, opts *Options) error

	// Fault says what an error means that the database has answered, or else reports false. Its
	// text is shown: it holds neither keys nor values nor secrets.
	Fault func(err error) (Fault, bool)
}

// Moments are expressions for times, in a column of one of the types.
type Moments struct {
	Types []string

	// Now is the database's clock, After the time after as many milliseconds as its parameter says,
	// and Left how many microseconds there are to {expires}. Begin is the clock when the statement
	// began: where that differs, it is what an index can be used with.
	Now, After, Left, Begin string
}

// Source is a database to connect to.
type Source struct {
	Connector driver.Connector

	// Server is its address or its file: what is shown of the dsn.
	Server string

	// Place is the file, if the database is one.
	Place *folder.Place

	// Secret is the password, if there is one: no error holds it.
	Secret string
}

// Fault is an answer of the database that is an error.
type Fault struct {
	Kind FaultKind
	Text string
}

// FaultKind says what an error means for the statement.
type FaultKind int

const (
	// Refused statements have done nothing, and would not another time.
	Refused FaultKind = iota
	// Passing is what hinders a statement, which has done nothing, and may not another time: a
	// deadlock.
	Passing
	// Lost statements may have been executed: the connection ends.
	Lost
	// NoTable means that there is no such table.
	NoTable
	// ReadOnly statements have done nothing: the server at this connection may only be read, as
	// after a failover. Another connection may lead to the one that has taken its place.
	ReadOnly
)
