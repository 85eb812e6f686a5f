package sqlite_test

import (
	stdsql "database/sql"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/sql"
	"github.com/caddy-session/caddy-session/sessionstore/sql/sqlite"
	"github.com/caddy-session/caddy-session/test/sqltest/suite"
)

func TestStore(t *testing.T) {
	suite.Run(t, sqlite.Driver, "sqlite", filepath.Join(folder(t), "sessions.db"), nil)
}

// folder returns a folder in memory if there is one, because syncing takes time. TestFile checks
// the syncing.
func folder(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "sqlite")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func BenchmarkStore(b *testing.B) {
	suite.Benchmark(b, sqlite.Driver, filepath.Join(b.TempDir(), "sessions.db"))
}

func open(t *testing.T, path string, opts sql.Options) *sql.Store {
	t.Helper()
	s, err := sql.Open(sqlite.Driver, path, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a ?#%20 b.db")
	if _, err := open(t, path, sql.Options{}).Get(t.Context(), "k"); !errors.Is(err, sessionstore.ErrUnavailable) || !strings.Contains(err.Error(), "create_table on") {
		t.Error(err)
	}
	s := open(t, path, sql.Options{CreateTable: true})
	if _, err := os.Stat(path); err == nil {
		t.Error("opening created a file")
	}
	if _, err := s.CompareAndSet(t.Context(), "k", nil, []byte("v"), time.Hour); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(path + suffix)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%q: %v, %v", suffix, info, err)
		}
	}
	for _, path := range []string{"", ":memory:", "file:x.db", "file::memory:?cache=shared"} {
		if err := sql.Check(sqlite.Driver, path, sql.Options{}); err == nil {
			t.Errorf("%q is accepted", path)
		}
	}
}

// The settings of our connections sync every commit to disk.
func TestSynced(t *testing.T) {
	source, err := sqlite.Driver.Connect(filepath.Join(t.TempDir(), "s.db"), &sql.Options{CreateTable: true, Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	db := stdsql.OpenDB(source.Connector)
	defer db.Close()
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "busy_timeout": "1000"} {
		var is string
		if err := db.QueryRow("PRAGMA " + pragma).Scan(&is); err != nil || is != want {
			t.Errorf("%s is %s, %v", pragma, is, err)
		}
	}
}

// Many connections open a new file at once. SQLite does not wait when it switches the journal mode.
func TestManyConnectAtOnce(t *testing.T) {
	dir := t.TempDir()
	for round := range 20 {
		path := filepath.Join(dir, strconv.Itoa(round))
		var group sync.WaitGroup
		for i := range 16 {
			s := open(t, path, sql.Options{CreateTable: true})
			group.Go(func() {
				if _, err := s.CompareAndSet(t.Context(), strconv.Itoa(i), nil, []byte("v"), time.Hour); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
	}
}

func TestNoDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "not.db")
	if err := os.WriteFile(path, []byte(strings.Repeat("this is not a database\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := open(t, path, sql.Options{CreateTable: true}).Get(t.Context(), "k")
	if !errors.Is(err, sessionstore.ErrUnavailable) || !strings.Contains(err.Error(), "not a database") {
		t.Error(err)
	}
}
