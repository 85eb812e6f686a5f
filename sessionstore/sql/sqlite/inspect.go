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

// inspect reads the file without locks and without its write-ahead log. It reads through SQLite: if
// this process opened and closed the file itself, it would release the POSIX locks that its
// connections hold.
func inspect(ctx context.Context, path string, opts *sql.Options) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("sqlite: %w", err)
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !opts.CreateTable:
		return nil // an app may create it later
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
	return checkReadable(ctx, path)
}

// inFolder returns an error if SQLite cannot create its files beside the database.
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

// checkReadable reads the schema. It repeats a failed read, since another process may be writing to
// the file.
func checkReadable(ctx context.Context, path string) (err error) {
	query := url.Values{"mode": {"ro"}, "immutable": {"1"}}
	name := url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: query.Encode()}
	for range 3 {
		if err = readOnce(ctx, name.String()); !isCorrupt(err) {
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

// isCorrupt reports whether the file is corrupt or not a database.
func isCorrupt(err error) bool {
	var answer *sqlite.Error
	if !errors.As(err, &answer) {
		return false
	}
	code := answer.Code() & 0xff
	return code == sqlite3.SQLITE_NOTADB || code == sqlite3.SQLITE_CORRUPT
}
