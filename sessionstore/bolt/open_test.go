package bolt

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	bbolt "go.etcd.io/bbolt"

	"github.com/caddy-session/caddy-session/internal/folder"
	"github.com/caddy-session/caddy-session/sessionstore"
)

func TestCreate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	path := filepath.Join(dir, "sessions.db")
	s := openTemp(t, Options{Path: path})
	if _, err := os.Stat(filepath.Dir(dir)); err == nil {
		t.Error("opening has made a folder")
	}
	want(t, s, "key", nil)
	for name, mode := range map[string]os.FileMode{dir: 0o700, filepath.Dir(dir): 0o700, path: 0o600} {
		info, err := os.Stat(name)
		if err != nil || info.Mode().Perm() != mode && runtime.GOOS != "windows" { // which has no such modes
			t.Errorf("%v, %v", info, err)
		}
	}
	closeStore(t, s)
	alone(t, path)
	if err := Check(path); err != nil {
		t.Error(err)
	}
}

// alone checks that the file is the only one in its folder.
func alone(tb testing.TB, path string) {
	tb.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 || entries[0].Name() != filepath.Base(path) {
		tb.Errorf("there is more than one file: %v, %v", entries, err)
	}
}

func TestConcurrentCreation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "sessions.db")
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if err := create(path); err != nil {
				t.Error(err)
			}
			if err := Check(path); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	alone(t, path)
}

func TestTemporaryFilesOfKilledProcessesAreDeleted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.db")
	for name, stays := range map[string]bool{
		".sessions.db.123456.tmp":     false, // killed while it created the file or compacted it
		".sessions.db.old.123456.tmp": true,  // of another file, sessions.db.old
		"sessions.db.tmp":             true,
		".sessions.db.tmp":            true,
		".other.db.123456.tmp":        true,
	} {
		other := filepath.Join(filepath.Dir(path), name)
		if err := os.WriteFile(other, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		s := openTemp(t, Options{Path: path})
		want(t, s, "key", nil)
		closeStore(t, s)
		if _, err := os.Stat(other); (err == nil) != stays {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPathsThatCannotBeOpened(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "link")
	if err := os.Symlink(filepath.Join(dir, "nowhere"), link); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, link, filepath.Join(file, "below")} {
		s := openTemp(t, Options{Path: path})
		fails(t, s, sessionstore.ErrUnavailable)
		closeStore(t, s)
	}
}

func TestHeldByAnotherStore(t *testing.T) {
	first := openTemp(t, Options{})
	save(t, first, "key", nil, []byte("one"))

	told := make(chan error, 10)
	second := openTemp(t, Options{Path: first.o.Path, OnError: func(err error) { told <- err }})
	fails(t, second, ErrHeld)
	time.Sleep(3 * heldPause)
	fails(t, second, ErrHeld)
	if err := <-told; !errors.Is(err, ErrHeld) || len(told) > 0 {
		t.Errorf("told %v and %d more", err, len(told))
	}
	closeStore(t, first)
	eventually(t, "the second store gets the file", func() bool {
		_, err := second.Get(t.Context(), "key")
		return err == nil
	})
	want(t, second, "key", []byte("one"))
	if err := <-told; err != nil {
		t.Errorf("told %v", err)
	}
}

func TestHeldByAnotherProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.db")
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), "CADDY_SESSION_CHILD=hold", "CADDY_SESSION_FILE="+path)
	in, err1 := child.StdinPipe()
	out, err2 := child.StdoutPipe()
	if err := errors.Join(err1, err2, child.Start()); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = child.Process.Kill(); _ = child.Wait() }()
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(line, err)
	}
	if !held(path) {
		t.Error("it is not held")
	}
	if err := Check(path); err != nil {
		t.Errorf("checking: %v", err)
	}
	if _, _, err := Compact(t.Context(), path); !errors.Is(err, ErrHeld) {
		t.Errorf("compacting: %v", err)
	}
	s := openTemp(t, Options{Path: path})
	fails(t, s, ErrHeld)
	_ = in.Close()
	eventually(t, "the store gets the file", func() bool {
		_, err := s.Get(t.Context(), "held")
		return err == nil
	})
	want(t, s, "held", []byte("by the child"))
}

// hold is a child process that holds the file until its standard input ends.
func hold(path string) {
	s := Open(Options{Path: path})
	_, err := s.CompareAndSet(context.Background(), "held", nil, []byte("by the child"), time.Hour)
	if err != nil {
		panic(err)
	}
	_, _ = os.Stdout.WriteString("held\n")
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// held reports whether the file under path is locked.
func held(path string) bool {
	fd, err := os.Open(path)
	if err != nil {
		return false
	}
	defer fd.Close()
	free, err := folder.TryLock(fd)
	return err == nil && !free
}

func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.db")
	if held(path) || held(filepath.Dir(path)) {
		t.Error("a missing file is held")
	}
	if err := create(path); err != nil {
		t.Fatal(err)
	}
	if held(path) {
		t.Error("nobody holds it")
	}
	s := openTemp(t, Options{Path: path})
	want(t, s, "key", nil)
	if !held(path) {
		t.Error("this process holds it")
	}
	closeStore(t, s)
	if held(path) {
		t.Error("it is closed, and held")
	}
}

// TestOperationsWaitForOpening opens the file slowly, as a large file after a crash.
func TestOperationsWaitForOpening(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.db")
	goOn := make(chan struct{})
	s := openTemp(t, Options{Path: path, tune: func(*bbolt.Options) { <-goOn }})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := s.Get(ctx, "key"); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, sessionstore.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	waiting := make(chan error)
	go func() {
		_, err := s.CompareAndSet(t.Context(), "key", nil, []byte("one"), time.Hour)
		waiting <- err
	}()
	select {
	case err := <-waiting:
		t.Fatalf("did not wait: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	close(goOn)
	if err := <-waiting; err != nil {
		t.Error(err)
	}
	want(t, s, "key", []byte("one"))
}

func TestFileReplacedBeforeTheLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.db")
	if err := create(path); err != nil {
		t.Fatal(err)
	}
	fd, err := lockFile(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer fd.Close()
	if !isAt(fd, path) {
		t.Error("it is the same file")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if isAt(fd, path) {
		t.Error("it is gone")
	}
	if err := create(path); err != nil {
		t.Fatal(err)
	}
	if isAt(fd, path) {
		t.Error("it is another file")
	}
}
