package files

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/internal/folder"
	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/test/harness"
)

// writer is a script that saves a short and a long session by turns, with PHP's own handler.
const writer = `
ob_start();
ini_set('session.use_cookies', 0);
ini_set('session.cache_limiter', '');
for ($i = 0; $i < 4000; $i++) {
	session_id('0123456789abcdef');
	session_start();
	$_SESSION = ['a' => str_repeat(chr(97 + $i % 26), $i % 2 ? 5 : 50000)];
	session_write_close();
}`

// TestReadsWhilePHPWrites reads a session that PHP changes all the time: it is never empty, and
// never torn.
func TestReadsWhilePHPWrites(t *testing.T) {
	s := openTemp(t, Options{UID: -1, Whole: func(content []byte) bool { return bytes.HasSuffix(content, []byte(`";`)) }})
	key := Prefix + "0123456789abcdef"
	save(t, s, key, nil, []byte(`a|s:1:"a";`), time.Hour)
	php := exec.CommandContext(t.Context(), harness.Program(t, "php"), "-d", "session.save_path="+s.o.Dir, "-d", "session.use_strict_mode=0", "-r", writer)
	if err := php.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- php.Wait() }()
	var reads sync.WaitGroup
	over := make(chan struct{})
	for range 2 {
		reads.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-over:
					if n < 100 {
						t.Errorf("only %d reads", n)
					}
					return
				default:
				}
				e, err := s.Get(t.Context(), key)
				text := strings.TrimSuffix(string(e.Value), `";`)
				if _, after, ok := strings.Cut(text, `:"`); err != nil || !ok || strings.Trim(after, after[:1]) != "" || len(after) != 1 && len(after) != 5 && len(after) != 50000 {
					t.Errorf("%d bytes, %v: %.60q", len(e.Value), err, e.Value)
					return
				}
			}
		})
	}
	err := <-done
	close(over)
	reads.Wait()
	if err != nil {
		t.Error(err)
	}
}

// TestBusyMachine has a PHP that is stopped between emptying the file and writing it. Readers wait
// for it.
func TestBusyMachine(t *testing.T) {
	s := openTemp(t, Options{UID: -1, Whole: func(content []byte) bool { return bytes.HasSuffix(content, []byte(";")) }})
	for name, torn := range map[string]string{"empty": "", "cut": "a|i:1;b|s:100:"} {
		key := "sess_" + name
		path := filepath.Join(s.o.Dir, key)
		if err := os.WriteFile(path, []byte(torn), 0o600); err != nil {
			t.Fatal(err)
		}
		php, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		if free, err := lock(php, os.O_RDWR); !free || err != nil {
			t.Fatal(free, err)
		}
		time.Sleep(2 * quiet)
		found := make(chan sessionstore.Entry, 1)
		go func() {
			e, err := s.Get(t.Context(), key)
			if err != nil {
				t.Error(err)
			}
			found <- e
		}()
		time.Sleep(2 * quiet)
		if _, err := php.WriteAt([]byte("a|i:1;"), 0); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(php.Truncate(6), php.Close()); err != nil {
			t.Fatal(err)
		}
		if e := <-found; string(e.Value) != "a|i:1;" {
			t.Errorf("%s: %q", name, e.Value)
		}
	}
}

func openTemp(tb testing.TB, o Options) *Store {
	tb.Helper()
	o.Dir = tb.TempDir()
	s := Open(o)
	tb.Cleanup(func() { _ = s.Close() })
	return s
}

func save(tb testing.TB, s *Store, key string, old, value []byte, ttl time.Duration) {
	tb.Helper()
	if _, err := s.CompareAndSet(tb.Context(), key, old, value, ttl); err != nil {
		tb.Fatal(err)
	}
}

// TestAttackKeys has keys that lead out of the folder, or to no session.
func TestAttackKeys(t *testing.T) {
	s := openTemp(t, Options{UID: -1, Levels: 2})
	outside := filepath.Join(filepath.Dir(s.o.Dir), "sess_abc")
	if err := os.WriteFile(outside, []byte("a|i:1;"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"sess_../sess_abc", "../sess_abc", "sess_", "sess_ab", "abc", "sess_a.bc", "sess_abc/", "sess_..", "sess_a\x00bc", "sess_" + strings.Repeat("a", 251)} {
		_, err1 := s.Get(t.Context(), key)
		_, err2 := s.CompareAndSet(t.Context(), key, nil, []byte("x"), time.Hour)
		_, err3 := s.CompareAndDelete(t.Context(), key, []byte("a|i:1;"))
		err4 := s.Touch(t.Context(), key, []byte("a|i:1;"), time.Hour)
		for i, err := range []error{err1, err2, err3, err4} {
			if !errors.Is(err, errKey) || strings.Contains(err.Error(), "abc") {
				t.Errorf("%q, operation %d: %v", key, i+1, err)
			}
		}
	}
	if _, err := s.Get(t.Context(), "sess_"+strings.Repeat("a", 195)); err != nil {
		t.Error(err)
	}
}

// TestMissingFolder has no folder, or no level: there is no session, and none is made.
func TestMissingFolder(t *testing.T) {
	s := openTemp(t, Options{UID: -1, Levels: 1})
	if e, err := s.Get(t.Context(), "sess_abc"); err != nil || e.Found() {
		t.Errorf("%v, %v", e, err)
	}
	if _, err := s.CompareAndSet(t.Context(), "sess_abc", nil, []byte("x"), time.Hour); !errors.Is(err, errNoFolder) {
		t.Error(err)
	}
	gone := Open(Options{Dir: filepath.Join(s.o.Dir, "none"), UID: -1})
	if _, err := gone.CompareAndSet(t.Context(), "sess_abc", nil, []byte("x"), time.Hour); !errors.Is(err, errNoFolder) {
		t.Error(err)
	}
	if names, err := os.ReadDir(s.o.Dir); err != nil || len(names) != 0 {
		t.Errorf("%v, %v", names, err)
	}
}

// TestFolderIsReplaced has another folder in the place of the first.
func TestFolderIsReplaced(t *testing.T) {
	var told []error
	s := openTemp(t, Options{UID: -1, OnError: func(err error) { told = append(told, err) }})
	save(t, s, "sess_abc", nil, []byte("a|i:1;"), time.Hour)
	away := s.o.Dir + "-away"
	if err := errors.Join(os.Rename(s.o.Dir, away), os.Mkdir(s.o.Dir, 0o700)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), "sess_abc"); !errors.Is(err, sessionstore.ErrUnavailable) {
		t.Error(err)
	}
	if _, err := s.CompareAndSet(t.Context(), "sess_abd", nil, []byte("x"), time.Hour); !errors.Is(err, sessionstore.ErrUnavailable) {
		t.Error(err)
	}
	if err := errors.Join(os.Remove(s.o.Dir), os.Rename(away, s.o.Dir)); err != nil {
		t.Fatal(err)
	}
	if e, err := s.Get(t.Context(), "sess_abc"); err != nil || !e.Found() || len(told) != 2 || told[0] == nil || told[1] != nil {
		t.Errorf("%v, %v, told %v", e, err, told)
	}
}

// TestFolderIsReplacedDuringTheWait has another folder in the place of the first while a change
// waits for the one before it. Nothing is written there, and the error names the folder.
func TestFolderIsReplacedDuringTheWait(t *testing.T) {
	s := openTemp(t, Options{UID: -1})
	save(t, s, "sess_abc", nil, []byte("a|i:1;"), time.Hour)
	path, err := s.path("sess_abd")
	if err := errors.Join(err, s.turns.Lock(t.Context(), path)); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := s.CompareAndSet(t.Context(), "sess_abd", nil, []byte("a|i:1;"), time.Hour)
		done <- err
	}()
	time.Sleep(50 * time.Millisecond) // until it waits; if it does not yet, it fails alike
	away := s.o.Dir + "-away"
	if err := errors.Join(os.Rename(s.o.Dir, away), os.Mkdir(s.o.Dir, 0o700)); err != nil {
		t.Fatal(err)
	}
	s.turns.Unlock(path)
	if err := <-done; !errors.Is(err, folder.ErrOther) || errors.Is(err, errLocked) {
		t.Errorf("the change: %v", err)
	}
	if names, err := os.ReadDir(s.o.Dir); err != nil || len(names) > 0 {
		t.Errorf("the other folder has %v, %v", names, err)
	}
}

// TestEmptyFile is a session of PHP's that has nothing in it yet.
func TestEmptyFile(t *testing.T) {
	s := openTemp(t, Options{UID: -1})
	if err := os.WriteFile(filepath.Join(s.o.Dir, "sess_abc"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	e, err := s.Get(t.Context(), "sess_abc")
	if err != nil || !e.Found() || len(e.Value) != 0 {
		t.Errorf("%v, %v", e, err)
	}
	save(t, s, "sess_abc", e.Value, []byte("a|i:1;"), time.Hour)
}

// TestLeftovers are files of a process that was killed: they are no sessions, and what cleans up
// PHP's folder knows them by their name.
func TestLeftovers(t *testing.T) {
	s := openTemp(t, Options{UID: -1})
	for _, name := range []string{temporary + "ABC", "other", "sess_a_b"} {
		if err := os.WriteFile(filepath.Join(s.o.Dir, name), []byte("a|i:1;"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	save(t, s, "sess_abc", nil, []byte("a|i:1;"), time.Hour)
	page, err := s.Walk(t.Context(), "", "", 10)
	if err != nil || len(page.Records) != 1 || page.Records[0].Key != "sess_abc" {
		t.Errorf("%v, %v", page, err)
	}
	names, err := filepath.Glob(filepath.Join(s.o.Dir, temporary+"*"))
	if err != nil || len(names) != 1 {
		t.Errorf("%q, %v", names, err)
	}
}

const killed = "SESSION_TEST_KILLED"

// TestKilledWhileWriting kills a process that changes a session all the time. A session of one page
// is the old or the new one, but for the rest of a longer one at its end.
func TestKilledWhileWriting(t *testing.T) {
	value := func(n int) []byte {
		return fmt.Appendf(nil, "n|i:%d;a|s:%d:\"%s\";", n, n%2*3000, strings.Repeat("x", n%2*3000))
	}
	if dir := os.Getenv(killed); dir != "" {
		s := Open(Options{Dir: dir, UID: -1})
		e, err := s.Get(t.Context(), "sess_abc")
		old := e.Value
		for n := 0; err == nil; n++ {
			_, err = s.CompareAndSet(t.Context(), "sess_abc", old, value(n), time.Hour)
			old = value(n)
		}
		t.Fatal(err)
	}
	dir := inMemory(t)
	s := Open(Options{Dir: dir, UID: -1})
	save(t, s, "sess_abc", nil, value(0), time.Hour)
	for range 20 {
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilledWhileWriting$")
		child.Env = append(os.Environ(), killed+"="+dir)
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		before, err := s.Get(t.Context(), "sess_abc")
		for err == nil { // until it has begun
			var now sessionstore.Entry
			if now, err = s.Get(t.Context(), "sess_abc"); !bytes.Equal(now.Value, before.Value) {
				break
			}
		}
		if err := errors.Join(err, child.Process.Kill()); err != nil {
			t.Fatal(err)
		}
		_ = child.Wait()
		e, err := s.Get(t.Context(), "sess_abc")
		var n int
		if _, scan := fmt.Sscanf(string(e.Value), "n|i:%d;", &n); err != nil || scan != nil {
			t.Fatalf("%.60q, %v", e.Value, err)
		}
		if want := value(n); !bytes.Equal(e.Value, want) && (len(want) > 100 || !bytes.HasPrefix(e.Value, want)) {
			t.Errorf("%d bytes: %.60q", len(e.Value), e.Value)
		}
		save(t, s, "sess_abc", e.Value, value(n), time.Hour)
	}
}
