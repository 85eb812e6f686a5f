package cachelib

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/internal/folder"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// TestFolderThatGoesAway removes the folder while it is in use: operations fail until it is back,
// and no new folder is created.
func TestFolderThatGoesAway(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "sessions")
	var told []error
	s := Open(Options{Dir: dir, OnError: func(err error) { told = append(told, err) }})
	t.Cleanup(func() { _ = s.Close() })
	value := []byte{0x80, 2, '}', 'q', 0, '.'}
	if _, err := s.CompareAndSet(t.Context(), "key", nil, value, time.Hour); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(dir, dir+".aside"); err != nil {
		t.Fatal(err)
	}
	for what, do := range map[string]func() error{
		"get":    func() error { _, err := s.Get(t.Context(), "key"); return err },
		"set":    func() error { _, err := s.CompareAndSet(t.Context(), "new", nil, value, time.Hour); return err },
		"delete": func() error { _, err := s.CompareAndDelete(t.Context(), "key", value); return err },
		"touch":  func() error { return s.Touch(t.Context(), "key", value, time.Hour) },
	} {
		if err := do(); !errors.Is(err, folder.ErrGone) || !errors.Is(err, sessionstore.ErrUnavailable) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("a new folder was created: %v", err)
	}
	if err := os.Rename(dir+".aside", dir); err != nil {
		t.Fatal(err)
	}
	if e, err := s.Get(t.Context(), "key"); err != nil || string(e.Value) != string(value) {
		t.Errorf("%q, %v", e.Value, err)
	}
	if len(told) != 2 || !errors.Is(told[0], folder.ErrGone) || told[1] != nil {
		t.Errorf("told %v", told)
	}
}
