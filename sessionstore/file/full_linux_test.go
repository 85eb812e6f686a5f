package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// fillUp is a child process for which the disk is full: it may write no file beyond 4 KiB.
func fillUp(dir string) {
	signal.Ignore(syscall.SIGXFSZ)
	s := Open(Options{Dir: dir})
	ctx := context.Background()
	_, err := s.CompareAndSet(ctx, "key", nil, []byte("one"), time.Hour)
	check(err)
	check(syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 4096, Max: 4096}))
	for _, key := range []string{"key", "new"} {
		var old []byte
		if key == "key" {
			old = []byte("one")
		}
		_, err := s.CompareAndSet(ctx, key, old, make([]byte, 8192), time.Hour)
		fmt.Println(key, errors.Is(err, sessionstore.ErrUnavailable), errors.Is(err, syscall.EFBIG))
	}
	_, err = s.CompareAndSet(ctx, "key", []byte("one"), []byte("two"), time.Hour)
	check(err)
	check(s.Close())
}

// TestFullDisk checks that sessions are unchanged, and that no partial file is left.
func TestFullDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "sessions")
	out, err := child("full", dir).Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := string(out); got != "key true true\nnew true true\n" {
		t.Errorf("got %q", got)
	}
	s := openTemp(t, Options{Dir: dir})
	want(t, s, "key", []byte("two"))
	want(t, s, "new", nil)
	if list := names(t, dir); len(list) != 1 {
		t.Errorf("there are %q", list)
	}
}

// TestFullFileSystem uses a real file system, if it can be mounted.
func TestFullFileSystem(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
		unable(t, "mounting a file system", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, 0) })
	s := Open(Options{Dir: filepath.Join(dir, "sessions")})
	defer s.Close()
	var last error
	saved := 0
	for ; saved < 1000 && last == nil; saved++ {
		_, last = s.CompareAndSet(t.Context(), fmt.Sprint("key", saved), nil, make([]byte, 5000), time.Hour)
	}
	if !errors.Is(last, syscall.ENOSPC) || !errors.Is(last, sessionstore.ErrUnavailable) {
		t.Fatalf("after %d sessions: %v", saved, last)
	}
	want(t, s, "key0", make([]byte, 5000))
	if _, err := s.CompareAndDelete(t.Context(), "key0", make([]byte, 5000)); err != nil {
		t.Fatal(err) // this makes room
	}
	save(t, s, "again", nil, []byte("one"), time.Hour)
	if list := names(t, s.o.Dir); len(list) != saved-1 {
		t.Errorf("%d files, want %d", len(list), saved-1)
	}
}

// TestForeign puts damaged files, and files that are not sessions, under the names of sessions.
// They must stay unchanged.
func TestForeign(t *testing.T) {
	good := func(value string) []byte {
		return encode("key", time.Now().Add(time.Hour).UnixMilli(), []byte(value))
	}
	flipped := good("value")
	flipped[len(flipped)-1] ^= 1
	header := good("value")
	header[5] ^= 1
	newer := good("value")
	newer[3] = 3
	for name, test := range map[string]struct {
		put  func(path string) error
		want error
	}{
		"empty":        {put(nil), errDamaged},
		"cut short":    {put(good("value")[:headerLen+2]), errDamaged},
		"header only":  {put(good("value")[:headerLen]), errDamaged},
		"half header":  {put(good("value")[:10]), errDamaged},
		"longer":       {put(append(good("value"), 0)), errDamaged},
		"flipped bit":  {put(flipped), errDamaged},
		"header":       {put(header), errDamaged},
		"newer":        {put(newer), errForeign},
		"text":         {put([]byte("somebody's notes\n")), errForeign},
		"cachelib's":   {put([]byte("\x80\xcf\x7c\x65\x80\x05\x95")), errForeign},
		"huge":         {put(make([]byte, 3<<20)), errForeign},
		"folder":       {func(path string) error { return os.Mkdir(path, 0o700) }, syscall.EISDIR},
		"pipe":         {func(path string) error { return syscall.Mkfifo(path, 0o600) }, errForeign},
		"link":         {func(path string) error { return os.Symlink("elsewhere", path) }, errSymlink},
		"dangling":     {func(path string) error { return os.Symlink("/nowhere/at/all", path) }, errSymlink},
		"link to self": {func(path string) error { return os.Symlink(path, path) }, errSymlink},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			elsewhere := filepath.Join(dir, "elsewhere")
			if err := os.WriteFile(elsewhere, good("value"), 0o600); err != nil {
				t.Fatal(err)
			}
			s := openTemp(t, Options{Dir: dir, sweepInterval: time.Millisecond, Threshold: 100})
			path := s.path("key")
			if err := test.put(path); err != nil {
				t.Fatal(err)
			}
			before, _ := os.Lstat(path)
			content, _ := os.ReadFile(elsewhere)
			fails(t, s, test.want)
			save(t, s, "other", nil, []byte("one"), time.Hour)
			time.Sleep(10 * time.Millisecond) // the sweeper leaves it alone too
			after, err := os.Lstat(path)
			if err != nil || !os.SameFile(before, after) || before.Size() != after.Size() || !before.ModTime().Equal(after.ModTime()) {
				t.Errorf("it was changed: %v", err)
			}
			if now, _ := os.ReadFile(elsewhere); !bytes.Equal(now, content) {
				t.Error("the link was followed")
			}
		})
	}
}

func put(content []byte) func(path string) error {
	return func(path string) error { return os.WriteFile(path, content, 0o600) }
}

// fails checks that all operations fail with cause, and name the place.
func fails(tb testing.TB, s *Store, cause error) {
	tb.Helper()
	ctx := tb.Context()
	for name, call := range map[string]func() error{
		"get":    func() error { _, err := s.Get(ctx, "key"); return err },
		"create": func() error { _, err := s.CompareAndSet(ctx, "key", nil, []byte("x"), time.Hour); return err },
		"save": func() error {
			_, err := s.CompareAndSet(ctx, "key", []byte("value"), []byte("x"), time.Hour)
			return err
		},
		"delete": func() error { _, err := s.CompareAndDelete(ctx, "key", []byte("value")); return err },
		"touch":  func() error { return s.Touch(ctx, "key", []byte("value"), time.Hour) },
	} {
		err := call()
		if !errors.Is(err, sessionstore.ErrUnavailable) || !errors.Is(err, cause) || !strings.Contains(err.Error(), s.o.Dir) {
			tb.Errorf("%s: got %v, want %v in %s", name, err, cause, s.o.Dir)
		}
	}
}

// TestFolder uses a path that is not a folder, and folders without permission.
func TestFolder(t *testing.T) {
	for name, test := range map[string]struct {
		put  func(path string) error
		want error
	}{
		"file":          {put([]byte("x")), syscall.ENOTDIR},
		"link to file":  {func(path string) error { return errors.Join(put(nil)(path+"x"), os.Symlink(path+"x", path)) }, syscall.ENOTDIR},
		"link to self":  {func(path string) error { return os.Symlink(path, path) }, syscall.ELOOP},
		"below a file":  {func(path string) error { return put(nil)(filepath.Dir(path)) }, syscall.ENOTDIR},
		"no right":      {func(path string) error { return os.Mkdir(path, 0) }, syscall.EACCES},
		"none to enter": {func(path string) error { return os.Mkdir(filepath.Dir(path), 0) }, syscall.EACCES},
	} {
		t.Run(name, func(t *testing.T) {
			free := test.want == syscall.EACCES && os.Getuid() == 0 // root may do everything, and so may its store
			dir := filepath.Join(t.TempDir(), "a", "b")
			if name != "below a file" && name != "none to enter" {
				if err := os.Mkdir(filepath.Dir(dir), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			if err := test.put(dir); err != nil {
				t.Fatal(err)
			}
			s := openTemp(t, Options{Dir: dir})
			_, err1 := s.Get(t.Context(), "key")
			_, err2 := s.CompareAndSet(t.Context(), "key", nil, []byte("x"), time.Hour)
			if free {
				if err := errors.Join(err1, err2, Check(dir)); err != nil {
					t.Error(err)
				}
				return
			}
			for _, err := range []error{err1, err2} {
				if !errors.Is(err, sessionstore.ErrUnavailable) || !errors.Is(err, test.want) || !strings.Contains(err.Error(), dir) {
					t.Errorf("got %v, want %v", err, test.want)
				}
			}
			if name != "link to self" && Check(dir) == nil {
				t.Error("Check finds nothing")
			}
		})
	}
}

// TestReadOnly reads from a read-only folder. Root may write everywhere but on some file systems.
func TestReadOnly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "sessions")
	s := openTemp(t, Options{Dir: dir})
	save(t, s, "key", nil, []byte("one"), time.Hour)
	if os.Getuid() == 0 {
		if err := syscall.Mount(dir, dir, "", syscall.MS_BIND, ""); err != nil {
			unable(t, "mounting a folder", err)
		}
		t.Cleanup(func() { _ = syscall.Unmount(dir, 0) })
		if err := syscall.Mount("", dir, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
			unable(t, "mounting read-only", err)
		}
	} else {
		check(os.Chmod(dir, 0o500))
		t.Cleanup(func() { _ = os.Chmod(dir, 0o700) })
	}
	want(t, s, "key", []byte("one"))
	want(t, s, "none", nil)
	for _, old := range [][]byte{nil, []byte("one")} {
		if _, err := s.CompareAndSet(t.Context(), map[bool]string{true: "new", false: "key"}[old == nil], old, []byte("two"), time.Hour); !errors.Is(err, sessionstore.ErrUnavailable) {
			t.Errorf("got %v", err)
		}
	}
	want(t, s, "key", []byte("one"))
}

// TestLinkedFolder uses a folder through a symbolic link.
func TestLinkedFolder(t *testing.T) {
	dir := t.TempDir()
	check(os.Mkdir(filepath.Join(dir, "real"), 0o700))
	check(os.Symlink("real", filepath.Join(dir, "link")))
	s := openTemp(t, Options{Dir: filepath.Join(dir, "link")})
	save(t, s, "key", nil, []byte("one"), time.Hour)
	want(t, openTemp(t, Options{Dir: filepath.Join(dir, "real")}), "key", []byte("one"))
}

// TestModes checks that files have the mode of the options, whatever the umask, and that the folder
// can be used by those who may use the files.
func TestModes(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o077))
	for mode, folder := range map[os.FileMode]os.FileMode{0: 0o700, 0o640: 0o750, 0o660: 0o770, 0o666: 0o777} {
		s := openTemp(t, Options{FileMode: mode})
		save(t, s, "key", nil, []byte("one"), time.Hour)
		save(t, s, "key", []byte("one"), []byte("two"), time.Hour)
		info, err := os.Stat(s.path("key"))
		if err != nil || info.Mode() != max(mode, 0o600) {
			t.Errorf("%o: %v %v", mode, info.Mode(), err)
		}
		if info, err := os.Stat(s.o.Dir); err != nil || info.Mode().Perm() != folder {
			t.Errorf("%o: folder %v %v", mode, info.Mode(), err)
		}
	}
}

// TestOtherProcess holds the lock on a session, as another process does.
func TestOtherProcess(t *testing.T) {
	s := openTemp(t, Options{})
	save(t, s, "key", nil, []byte("one"), time.Hour)
	h, err := tryHold(s.path("key"))
	if err != nil {
		t.Fatal(err)
	}
	want(t, s, "key", []byte("one")) // readers wait for nobody
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := s.CompareAndSet(ctx, "key", []byte("one"), []byte("two"), time.Hour); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, sessionstore.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	time.AfterFunc(20*time.Millisecond, h.release)
	save(t, s, "key", []byte("one"), []byte("two"), time.Hour)
	want(t, s, "key", []byte("two"))
}

// unable skips a test that this user or this machine cannot run. On CI it fails.
func unable(t *testing.T, what string, err error) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s: %v", what, err)
	}
	t.Skipf("%s: %v", what, err)
}
