// Package sqlite is the [sql.Driver] for SQLite 3.42 or later, without cgo.
package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/caddy-session/caddy-session/internal/folder"
	"github.com/caddy-session/caddy-session/sessionstore/sql"
)

// Driver is for SQLite. Its DSN is the path of a file, which is created together with the table.
//
// Every confirmed change is on disk: the log is synced with each commit. Several processes on one
// machine may share the file.
var Driver = &sql.Driver{
	Name:      "sqlite",
	Connect:   connect,
	Quote:     '"',
	Prepare:   true,
	OneWriter: true,
	Times: sql.Times{
		Types: []string{"INTEGER", "BIGINT"},
		Now:   milliseconds,
		After: `? + ` + milliseconds,
		Left:  `({expires} - ` + milliseconds + `) * 1000`,
		Begin: milliseconds,
	},
	Naive: sql.Times{
		Types: []string{"DATETIME"},
		Now:   `strftime('%Y-%m-%d %H:%M:%f', 'now')`,
		// as many digits as SQLAlchemy writes
		After: `strftime('%Y-%m-%d %H:%M:%f000', 'now', (? / 1000.0) || ' seconds')`,
		Left:  `CAST((julianday({expires}) - julianday('now')) * 86400000000 AS INTEGER)`,
		Begin: `strftime('%Y-%m-%d %H:%M:%f', 'now')`,
	},
	Size:     `octet_length({value})`,
	Bytewise: `{key} COLLATE BINARY`,
	Create: `INSERT INTO {table} ({key}, {value}, {expires}) VALUES (?, ?, {after})
		ON CONFLICT ({key}) DO UPDATE SET {value} = excluded.{value}, {expires} = excluded.{expires} WHERE ({table}.{expires} > {now}) IS NOT TRUE`,
	Sweep: `DELETE FROM {table} WHERE {key} IN (SELECT {key} FROM {table} WHERE {expires} <= {now} LIMIT ?)`,
	Table: []string{
		`CREATE TABLE IF NOT EXISTS {table} ({key} text NOT NULL PRIMARY KEY, {value} blob NOT NULL, {expires} integer NOT NULL)`,
		`CREATE INDEX IF NOT EXISTS {index} ON {table} ({expires})`,
	},
	Key:     []string{"TEXT", "VARCHAR", "VARCHAR(255)"},
	Text:    []string{"TEXT", "VARCHAR", "VARCHAR(255)"},
	Value:   []string{"BLOB"},
	Unique:  `EXPLAIN INSERT INTO {table} ({key}, {value}, {expires}) VALUES ('', '', 0) ON CONFLICT ({key}) DO NOTHING`,
	Inspect: inspect,
	Fault:   fault,
}

// milliseconds is this machine's clock as a Unix time.
const milliseconds = `CAST(round(unixepoch('now', 'subsec') * 1000) AS INTEGER)`

func connect(path string, opts *sql.Options) (sql.Source, error) {
	switch {
	case path == "":
		return sql.Source{}, errors.New("sqlite: no file")
	case strings.Contains(path, ":memory:"), strings.HasPrefix(path, "file:"):
		return sql.Source{}, fmt.Errorf("sqlite: %q is not the path of a file", path)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return sql.Source{}, fmt.Errorf("sqlite: %w", err)
	}
	// Waiting for another process is bounded by the timeout of a statement.
	query := url.Values{"_pragma": {fmt.Sprintf("busy_timeout(%d)", opts.Timeout.Milliseconds()), "synchronous(FULL)"}}
	if opts.Layout == nil {
		// this setting stays in the file, so another program's file keeps its own
		query.Add("_pragma", "journal_mode(WAL)")
	}
	query.Set("mode", "rw")
	name := url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: query.Encode()}
	inner, err := sqlite.NewConnector(name.String())
	if err != nil {
		return sql.Source{}, errors.New("sqlite: invalid path")
	}
	place := folder.NewFile(path, func(err error) {
		if opts.OnState != nil {
			opts.OnState(path, err)
		}
	})
	return sql.Source{Connector: &connector{inner, path, opts.CreateTable, place}, Server: path, Place: place}, nil
}

type connector struct {
	driver.Connector
	path   string
	create bool
	place  *folder.Place
}

// Connect implements [driver.Connector]. Only this user may read the file, since it contains
// sessions.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	if c.create && !c.place.Seen() {
		// O_EXCL: closing an existing file would release the POSIX locks that this process holds on
		// it.
		file, err := os.OpenFile(c.path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
		switch {
		case err == nil:
			_ = file.Close()
		case !errors.Is(err, fs.ErrExist):
			return nil, fileError{err}
		}
	} else if _, err := os.Stat(c.path); err != nil {
		return nil, fileError{err}
	}
	if err := c.place.Same(); err != nil {
		return nil, fileError{err}
	}
	return c.open(ctx)
}

// open opens the file. SQLite does not wait for locks when it switches the journal mode of a new
// file, since two connections that do so would wait for each other. So one of them fails and must
// try again.
func (c *connector) open(ctx context.Context) (driver.Conn, error) {
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		conn, err := c.Connector.Connect(ctx)
		var answer *sqlite.Error
		if !errors.As(err, &answer) || answer.Code()&0xff != sqlite3.SQLITE_BUSY {
			return conn, err
		}
		select {
		case <-time.After(pause/2 + rand.N(pause/2)):
		case <-ctx.Done():
			return nil, err
		}
	}
}

// fileError is an error of the file system.
type fileError struct{ error }

func (e fileError) Unwrap() error { return e.error }

// fault classifies an error by its code.
func fault(err error) (sql.Fault, bool) {
	if file, ok := errors.AsType[fileError](err); ok {
		text := file.Error()
		if errors.Is(err, fs.ErrNotExist) {
			text = `the file does not exist: create it with its table, or set "create_table on"`
		}
		return sql.Fault{Kind: sql.Refused, Text: text}, true
	}
	var answer *sqlite.Error
	if !errors.As(err, &answer) {
		return sql.Fault{}, false
	}
	f := sql.Fault{Text: answer.Error()}
	switch answer.Code() & 0xff {
	case sqlite3.SQLITE_ERROR:
		if strings.Contains(answer.Error(), "no such table") {
			f.Kind = sql.NoTable
		}
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_SCHEMA:
		f.Kind = sql.Transient
	case sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_IOERR:
		f.Kind = sql.Lost
	case sqlite3.SQLITE_READONLY:
		// The file could not be written when the connection was opened. It may be writable now.
		f.Kind = sql.ReadOnly
	}
	return f, true
}
