package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	bbolt "go.etcd.io/bbolt"

	"github.com/caddy-session/caddy-session/sessionstore"
)

// goodFile returns what is in a file with 200 sessions, under "key000" and so on.
func goodFile(tb testing.TB) []byte { return sessionsFile(tb, 200, os.Getpagesize(), true) }

// sessionsFile makes a file without the help of a store.
func sessionsFile(tb testing.TB, sessions, pageSize int, list bool) []byte {
	return boltFile(tb, &bbolt.Options{PageSize: pageSize, NoFreelistSync: !list}, func(tx *bbolt.Tx) error {
		info, err1 := tx.CreateBucketIfNotExists(infoBucket)
		b, err2 := tx.CreateBucketIfNotExists(sessionsBucket)
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
		err := info.Put(formatKey, []byte(format))
		for i := range sessions {
			_, record := appendRecord(nil, time.Now().Add(time.Hour).UnixMilli(), sessionValue(i))
			err = errors.Join(err, b.Put(sessionKey(i), record))
		}
		return err
	})
}

func sessionKey(i int) []byte   { return fmt.Appendf(nil, "key%03d", i) }
func sessionValue(i int) []byte { return bytes.Repeat([]byte{byte(i)}, 500) }

// boltFile returns what is in a bbolt file after do, twice, so that both meta
// pages know it.
func boltFile(tb testing.TB, o *bbolt.Options, do func(tx *bbolt.Tx) error) []byte {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "other.db")
	db, err := bbolt.Open(path, 0o600, o)
	if err != nil {
		tb.Fatal(err)
	}
	if err := errors.Join(db.Update(do), db.Update(do), db.Close()); err != nil {
		tb.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	return whole
}

// change returns a copy that change has been at.
func change(whole []byte, change func([]byte)) []byte {
	whole = bytes.Clone(whole)
	change(whole)
	return whole
}

// unusable are files that must be left alone.
func unusable(tb testing.TB) map[string]struct {
	content []byte
	is      error
} {
	good := goodFile(tb)
	page := os.Getpagesize()
	t, err := checkOnce(bytes.NewReader(good), int64(len(good)))
	if err != nil {
		tb.Fatal(err)
	}
	used := int(t.meta.pages) * page
	other := func(name, key, value string) []byte {
		return boltFile(tb, nil, func(tx *bbolt.Tx) error {
			b, err := tx.CreateBucketIfNotExists([]byte(name))
			return errors.Join(err, b.Put([]byte(key), []byte(value)))
		})
	}
	return map[string]struct {
		content []byte
		is      error
	}{
		"text":                    {[]byte("not a bolt file"), ErrForeign},
		"zeros":                   {make([]byte, 64<<10), ErrForeign},
		"noise":                   {bytes.Repeat([]byte("noise"), 20000), ErrForeign},
		"cut by a page":           {good[:used-page], ErrDamaged},
		"cut by a byte":           {good[:used-1], ErrDamaged},
		"cut to its meta pages":   {good[:2*page], ErrDamaged},
		"cut to one meta page":    {good[:page], ErrDamaged},
		"cut within":              {good[:60], ErrForeign},
		"both meta pages flipped": {change(good, func(b []byte) { b[pageHead+20] ^= 1; b[page+pageHead+20] ^= 1 }), ErrDamaged},
		"another version of bolt": {change(good, func(b []byte) { b[pageHead+4]++; b[page+pageHead+4]++ }), ErrForeign},
		"free pages in use":       {change(good, func(b []byte) { listUsed(b, t, page) }), ErrDamaged},
		"free pages out of order": {change(good, func(b []byte) { b[int(t.meta.freelist)*page+pageHead] = 0 }), ErrDamaged},
		"free pages are none":     {change(good, func(b []byte) { b[int(t.meta.freelist)*page+8] = leafPage }), ErrDamaged},
		"root is none":            {change(good, func(b []byte) { b[int(t.meta.root)*page+8] = 7 }), ErrDamaged},
		"root is another page":    {change(good, func(b []byte) { b[int(t.meta.root)*page]++ }), ErrDamaged},
		"no buckets":              {boltFile(tb, nil, func(*bbolt.Tx) error { return nil }), ErrForeign},
		"another program's":       {other("acme", "key", "value"), ErrForeign},
		"sessions of another":     {other("sessions", "key", "value"), ErrForeign},
		"a newer format":          {other("caddy-session", "format", "2"), ErrForeign},
		"no format":               {other("caddy-session", "key", "value"), ErrDamaged},
		"no sessions":             {other("caddy-session", "format", "1"), ErrDamaged},
	}
}

// listUsed puts the root page on the list of free pages, in its order.
func listUsed(b []byte, t *tree, page int) {
	list := b[int(t.meta.freelist)*page:]
	order.PutUint16(list[10:], 1)
	order.PutUint64(list[pageHead:], t.meta.root)
}

func TestCheck(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "sessions.db")
	if err := Check(path); err != nil {
		t.Errorf("what is not there: %v", err)
	}
	if err := Check(folder); !errors.Is(err, ErrForeign) {
		t.Errorf("a folder: %v", err)
	}
	for name, file := range unusable(t) {
		if err := os.WriteFile(path, file.content, 0o600); err != nil {
			t.Fatal(err)
		}
		if name == "free pages in use" {
			continue // takes more than a few pages to find out
		}
		if err := Check(path); !errors.Is(err, file.is) || !bytes.Contains([]byte(err.Error()), []byte(path)) {
			t.Errorf("%s: got %v, want %v", name, err, file.is)
		}
	}
	good := goodFile(t)
	page := os.Getpagesize()
	for name, content := range map[string][]byte{
		"good":                   good,
		"first meta page torn":   change(good, func(b []byte) { b[pageHead+20] ^= 1 }),
		"second meta page torn":  change(good, func(b []byte) { b[page+pageHead+20] ^= 1 }),
		"first meta page erased": change(good, func(b []byte) { clear(b[:page]) }),
	} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := Check(path); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		s := openTemp(t, Options{Path: path})
		want(t, s, "key007", sessionValue(7))
		closeStore(t, s)
	}
	alone(t, path)
}

// TestCheckWhileWriting looks at a file that changes and grows under it.
func TestCheckWhileWriting(t *testing.T) {
	s := openTemp(t, Options{})
	want(t, s, "key", nil)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 500 {
			_, err := s.CompareAndSet(t.Context(), newKey(), nil, make([]byte, i*20), time.Hour)
			if err != nil {
				t.Error(err)
			}
		}
	}()
	for n := 0; ; n++ {
		select {
		case <-done:
			t.Logf("checked %d times", n)
			return
		default:
		}
		if err := Check(s.o.Path); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAnUnusableFileIsLeftAlone(t *testing.T) {
	good := goodFile(t)
	for name, file := range unusable(t) {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "sessions.db")
			if err := os.WriteFile(path, file.content, 0o600); err != nil {
				t.Fatal(err)
			}
			s := openTemp(t, Options{Path: path, pause: 5 * time.Millisecond})
			fails(t, s, file.is)
			time.Sleep(20 * time.Millisecond)
			fails(t, s, file.is)
			if is, err := os.ReadFile(path); err != nil || !bytes.Equal(is, file.content) {
				t.Error("the file has changed")
			}
			alone(t, path)

			// Somebody puts a good one in its place.
			if err := os.WriteFile(path+".new", good, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(path+".new", path); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the store recovers", func() bool {
				_, err := s.Get(t.Context(), "key")
				return err == nil
			})
			want(t, s, "key100", sessionValue(100))
		})
	}
}

// TestEmptyFileIsInitialized is what a crash has left, or an operator: it becomes a file without sessions, of the same owner and mode.
func TestEmptyFileIsInitialized(t *testing.T) {
	dir := t.TempDir()
	path, link := filepath.Join(dir, "sessions.db"), filepath.Join(dir, "link")
	if err := os.WriteFile(path, nil, 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if err := Check(path); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(path); err != nil || info.Size() != 0 {
		t.Errorf("looking at it has changed it: %v", err)
	}
	s := openTemp(t, Options{Path: link})
	save(t, s, "key", nil, []byte("one"))
	want(t, s, "key", []byte("one"))
	if info, err := os.Stat(path); err != nil || info.Size() == 0 || info.Mode() != 0o640 {
		t.Errorf("%v, %v", info, err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link was replaced: %v", err)
	}
}

// damagedPages are what can be wrong with a page of sessions.
var damagedPages = map[string]func(page []byte){
	"erased":          func(b []byte) { clear(b) },
	"another page":    func(b []byte) { b[0]++ },
	"no such kind":    func(b []byte) { b[8] = 0x40 },
	"a meta page":     func(b []byte) { b[8] = 0x04 },
	"far outside":     func(b []byte) { order.PutUint32(b[pageHead+4:], 0x7fffff00) },
	"a long key":      func(b []byte) { order.PutUint32(b[pageHead+8:], 4<<20) },
	"a long value":    func(b []byte) { order.PutUint32(b[pageHead+12:], 2<<20) },
	"no key":          func(b []byte) { order.PutUint32(b[pageHead+8:], 0) },
	"many elements":   func(b []byte) { order.PutUint16(b[10:], 0xfff0) },
	"endless":         func(b []byte) { order.PutUint32(b[12:], 0x7fffffff) },
	"a buckets's key": func(b []byte) { b[pageHead] = bucketFlag },
}

// TestADamagedPage has one page of sessions damaged, which is found when the file
// is opened.
func TestADamagedPage(t *testing.T) {
	for list, good := range map[string][]byte{
		"with a list of free pages":    goodFile(t),
		"without a list of free pages": sessionsFile(t, 200, os.Getpagesize(), false),
	} {
		path := filepath.Join(t.TempDir(), "sessions.db")
		for name, damage := range damagedPages {
			content := change(good, func(b []byte) { damage(pageOf(t, good, b, sessionKey(100))) })
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			s := openTemp(t, Options{Path: path})
			if _, err := s.Get(t.Context(), "key100"); !errors.Is(err, ErrDamaged) {
				t.Errorf("%s, %s: got %v", name, list, err)
			}
			closeStore(t, s)
			if is, err := os.ReadFile(path); err != nil || !bytes.Equal(is, content) {
				t.Errorf("%s, %s: the file has changed", name, list)
			}
		}
	}
}

// TestAPageDamagedWhileOpen is more than can be expected to go well. Whatever
// happens to the sessions on it, the process survives, and the others are as they
// were.
func TestAPageDamagedWhileOpen(t *testing.T) {
	good := goodFile(t)
	for name, damage := range damagedPages {
		if name == "endless" {
			continue // bbolt would free two billion pages
		}
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "sessions.db")
			if err := os.WriteFile(path, good, 0o600); err != nil {
				t.Fatal(err)
			}
			s := openTemp(t, Options{Path: path})
			want(t, s, "key100", sessionValue(100))
			if err := write(path, change(good, func(b []byte) { damage(pageOf(t, good, b, sessionKey(100))) })); err != nil {
				t.Fatal(err)
			}
			for i := range 200 {
				if i%10 != 0 && (i < 90 || i > 110) {
					continue
				}
				e, err := s.Get(t.Context(), string(sessionKey(i)))
				switch {
				case err != nil && (!errors.Is(err, ErrDamaged) || !errors.Is(err, sessionstore.ErrUnavailable)):
					t.Fatalf("getting %d: %v", i, err)
				case err == nil && (i < 80 || i > 120) && !bytes.Equal(e.Value, sessionValue(i)):
					t.Fatalf("there is %.10q under %d", e.Value, i)
				}
				_, err = s.CompareAndSet(t.Context(), string(sessionKey(i)), e.Value, []byte("new"), time.Hour)
				if err != nil && (i < 80 || i > 120) {
					t.Fatalf("saving %d: %v", i, err)
				}
			}
			_ = s.Close()
			if Held(path) {
				t.Error("the file is still held")
			}
		})
	}
}

// pageOf returns the part of a copy of a good file that is the page of a session.
func pageOf(t *testing.T, good, content, key []byte) []byte {
	tr, err := checkOnce(bytes.NewReader(good), int64(len(good)))
	if err != nil {
		t.Fatal(err)
	}
	at, size := leafOf(t, tr, key), os.Getpagesize()
	return content[at*size : (at+1)*size]
}

// leafOf returns the page that a session is on.
func leafOf(t *testing.T, tr *tree, key []byte) int {
	e, _, err := tr.find(ref{root: tr.meta.root}, sessionsBucket)
	if err != nil {
		t.Fatal(err)
	}
	b, err := bucketRef(e.value)
	if err != nil {
		t.Fatal(err)
	}
	for id := b.root; ; {
		p, err := tr.read(id, nil)
		if err != nil {
			t.Fatal(err)
		}
		if p.flags == leafPage {
			return int(id)
		}
		i, exact := p.search(key)
		if !exact {
			i--
		}
		id = p.element(i).child
	}
}

// TestOverwrittenWhileOpen has somebody overwrite the file that the store has
// mapped.
func TestOverwrittenWhileOpen(t *testing.T) {
	good := goodFile(t)
	for name, overwrite := range map[string]func(path string) error{
		"erased": func(path string) error { return write(path, make([]byte, len(good))) },
		"cut":    func(path string) error { return os.Truncate(path, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "sessions.db")
			if err := os.WriteFile(path, good, 0o600); err != nil {
				t.Fatal(err)
			}
			s := openTemp(t, Options{Path: path, pause: 5 * time.Millisecond})
			want(t, s, "key100", sessionValue(100))
			if err := overwrite(path); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Get(t.Context(), "key101"); !errors.Is(err, sessionstore.ErrUnavailable) { // which is not cached
				t.Errorf("got %v", err)
			}
			eventually(t, "the store says what is wrong", func() bool {
				_, err := s.CompareAndSet(t.Context(), "key", nil, nil, time.Hour)
				return errors.Is(err, ErrDamaged) || errors.Is(err, ErrForeign)
			})
			if err := write(path, good); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the store recovers", func() bool {
				_, err := s.CompareAndSet(t.Context(), "key", nil, nil, time.Hour)
				return err == nil
			})
			want(t, s, "key100", sessionValue(100))
			closeStore(t, s)
		})
	}
}

// write changes a file in place.
func write(path string, content []byte) error {
	fd, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = fd.WriteAt(content, 0)
	return errors.Join(err, fd.Close())
}
