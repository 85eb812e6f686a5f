package sqlite

import (
	"context"
	database "database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/caddy-session/caddy-session/internal/folder"
	"github.com/caddy-session/caddy-session/sessionstore/sql"
)

// inspect looks at the file without a lock and without the log that goes with it. It does so by SQLite: if this process opened and
// closed the file by itself, it would end the locks that its connections hold.
func inspect(ctx context.Context, path string, opts *sql.Options) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("sqlite: %w", err)
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !opts.CreateTable:
		return nil // an app may make it yet
	case errors.Is(err, fs.ErrNotExist), err == nil && info.Size() == 0:
		return inFolder(path)
	case err != nil:
		return fmt.Errorf("sqlite: %w", err)
	case !info.Mode().IsRegular():
		return fmt.Errorf("sqlite: %s is not a file", path)
	}
	if err := folder.CanWrite(path); err != nil {
		return fmt.Errorf("sqlite: %w", err)
	}
	if err := inFolder(path); err != nil {
		return err
	}
	return readable(ctx, path)
}

// inFolder returns what keeps SQLite from making files beside the database, as it must.
func inFolder(path string) error {
	dir := filepath.Dir(path)
	_, err := os.Stat(dir)
	if err == nil {
		err = folder.Usable(dir)
	}
	if err != nil {
		return fmt.Errorf("sqlite: %w", err)
	}
	return nil
}

// readable reads the tables' names. What looks wrong is looked at again: the file may be written to at this moment.
func readable(ctx context.Context, path string) (err error) {
	query := url.Values{"mode": {"ro"}, "immutable": {"1"}}
	name := url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: query.Encode()}
	for range 3 {
		if err = readOnce(ctx, name.String()); !isDamage(err) {
			return nil
		}
	}
	return fmt.Errorf("sqlite: %s: %w", path, err)
}

func readOnce(ctx context.Context, name string) error {
	inner, err := sqlite.NewConnector(name)
	if err != nil {
		return err
	}
	db := database.OpenDB(inner)
	defer db.Close()
	var tables int
	return db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&tables)
}

// isDamage reports whether an error says that the file is damaged, or another program's.
func isDamage(err error) bool {
	var answer *sqlite.Error
	if !errors.As(err, &answer) {
		return false
	}
	code := answer.Code() & 0xff
	return code == sqlite3.SQLITE_NOTADB || code == sqlite3.SQLITE_CORRUPT
}
