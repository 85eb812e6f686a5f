package sqlite_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/sql"
	"github.com/caddy-session/caddy-session/sessionstore/sql/sqlite"
)

// The file is deleted while connections have it open, which would lose their later writes. The
// store is unavailable until the file is back, and creates no file in its place.
func TestFileThatGoesAway(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "vol")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "sessions.db")
	var told []error
	s := open(t, path, sql.Options{CreateTable: true, OnState: func(_ string, err error) { told = append(told, err) }})
	if _, err := s.CompareAndSet(t.Context(), "k", nil, []byte("v"), time.Hour); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(dir, dir+".aside"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.CompareAndSet(t.Context(), "k", []byte("v"), []byte("w"), time.Hour); !errors.Is(err, sessionstore.ErrUnavailable) || !strings.Contains(err.Error(), "it is gone") {
		t.Errorf("a change: %v", err)
	}
	if _, err := s.Get(t.Context(), "k"); !errors.Is(err, sessionstore.ErrUnavailable) {
		t.Errorf("a read after that: %v", err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("a file was created in its place: %v", err)
	}
	if err := os.Rename(dir+".aside", dir); err != nil {
		t.Fatal(err)
	}
	if e, err := s.Get(t.Context(), "k"); err != nil || string(e.Value) != "v" {
		t.Errorf("%q, %v", e.Value, err)
	}
	if len(told) != 2 || told[0] == nil || told[1] != nil {
		t.Errorf("told %v", told)
	}
}

// Inspect finds out whether a file can be used, without writing.
func TestInspect(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "sessions.db")
	inspect := func(path string) error {
		return sql.Inspect(t.Context(), sqlite.Driver, path, sql.Options{CreateTable: true})
	}
	if err := inspect(path); err != nil {
		t.Errorf("a missing file: %v", err)
	}
	if err := inspect(filepath.Join(dir, "none", "s.db")); err == nil {
		t.Error("a missing folder: no error")
	}
	s := open(t, path, sql.Options{CreateTable: true})
	if err := s.Probe(t.Context()); err != nil {
		t.Errorf("a probe: %v", err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("files were created: %v %v", entries, err)
	}
	if _, err := s.CompareAndSet(t.Context(), "k", nil, []byte("v"), time.Hour); err != nil {
		t.Fatal(err)
	}
	if err := inspect(path); err != nil {
		t.Errorf("a valid file in use: %v", err)
	}
	for name, content := range map[string]string{"text": strings.Repeat("somebody's notes ", 100), "cut": "SQLite format 3\x00\x10\x00"} {
		other := filepath.Join(dir, name)
		if err := os.WriteFile(other, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := inspect(other); err == nil {
			t.Errorf("%s: no error", name)
		}
		if is, err := os.ReadFile(other); err != nil || string(is) != content {
			t.Errorf("%s was changed: %v", name, err)
		}
	}
}
