package bolt

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/internal/folder"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// TestFileIsRemovedOrReplaced removes or replaces the file while it is open. Writes would be lost
// when the process ends, so they fail until the file is back. No other file is created.
func TestFileIsRemovedOrReplaced(t *testing.T) {
	for name, test := range map[string]struct {
		other bool
		is    error
	}{
		"renamed":  {false, folder.ErrGone},
		"replaced": {true, folder.ErrOther},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path, aside := filepath.Join(dir, "sessions.db"), filepath.Join(dir, "aside")
			told := make(chan error, 100)
			s := openTemp(t, Options{Path: path, OnError: func(err error) { told <- err }})
			save(t, s, "key", nil, []byte("one"))
			if err := os.Rename(path, aside); err != nil {
				t.Fatal(err)
			}
			if test.other {
				if err := create(path); err != nil {
					t.Fatal(err)
				}
			}
			_, err := s.CompareAndSet(t.Context(), "key", []byte("one"), []byte("two"), time.Hour)
			if !errors.Is(err, test.is) || !errors.Is(err, sessionstore.ErrUnavailable) {
				t.Errorf("a change: %v", err)
			}
			if _, err := s.CompareAndDelete(t.Context(), "key", []byte("one")); !errors.Is(err, test.is) {
				t.Errorf("a delete: %v", err)
			}
			if _, err := s.Get(t.Context(), "key"); !errors.Is(err, test.is) {
				t.Errorf("a read after them: %v", err)
			}
			if _, err := os.Stat(path); test.other != (err == nil) {
				t.Errorf("what is in its place: %v", err)
			}
			if err := os.Rename(aside, path); err != nil {
				t.Fatal(err)
			}
			want(t, s, "key", []byte("one"))
			if _, err := s.CompareAndSet(t.Context(), "key", []byte("one"), []byte("two"), time.Hour); err != nil {
				t.Fatal(err)
			}
			var all []error
			for len(told) > 0 {
				all = append(all, <-told)
			}
			if len(all) != 2 || !errors.Is(all[0], test.is) || all[1] != nil {
				t.Errorf("told %v", all)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			want(t, openTemp(t, Options{Path: path}), "key", []byte("two"))
		})
	}
}

// TestAFileThatCannotBeReadStaysTheFile opens the file again when it cannot be read, as while its
// disk goes away, and then when it is gone. No other file is created in its place.
func TestAFileThatCannotBeReadStaysTheFile(t *testing.T) {
	t.Parallel()
	s := openTemp(t, Options{})
	save(t, s, "key", nil, []byte("one"))
	closeStore(t, s) // reading the file ends with the store
	if _, err := s.openFile(); !errors.Is(err, context.Canceled) {
		t.Fatalf("opening a file that cannot be read: %v", err)
	}
	if err := os.Remove(s.o.Path); err != nil {
		t.Fatal(err)
	}
	if _, err := s.openFile(); !errors.Is(err, folder.ErrGone) {
		t.Errorf("opening a file that is gone: %v", err)
	}
	if _, err := os.Stat(s.o.Path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what is in its place: %v", err)
	}
}

// TestReadsFailWithinASecondOfRemoval removes the file of a store that only reads.
func TestReadsFailWithinASecondOfRemoval(t *testing.T) {
	t.Parallel()
	s := openTemp(t, Options{})
	save(t, s, "key", nil, []byte("one"))
	want(t, s, "key", []byte("one"))
	if err := os.Remove(s.o.Path); err != nil {
		t.Fatal(err)
	}
	time.Sleep(1100 * time.Millisecond)
	if _, err := s.Get(t.Context(), "key"); !errors.Is(err, folder.ErrGone) {
		t.Errorf("after a second: %v", err)
	}
}
