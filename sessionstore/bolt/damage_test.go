package bolt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	bbolt "go.etcd.io/bbolt"

	"github.com/caddy-session/caddy-session/internal/boltfile"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// The page format of bbolt, as far as the tests need it.
const (
	pageHead   = 16 // number, type, count of elements, count of further pages
	metaLen    = 64
	leafPage   = 0x02
	bucketFlag = 0x01
)

var order = binary.NativeEndian

// goodFile returns the content of a file with 200 sessions, with keys "key000" and so on.
func goodFile(tb testing.TB) []byte { return sessionsFile(tb, 200, os.Getpagesize(), true) }

// sessionsFile makes a file without a store.
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

// boltFile returns the content of a bbolt file after two transactions of do, so that both meta
// pages have it.
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

// change returns a changed copy.
func change(whole []byte, change func([]byte)) []byte {
	whole = bytes.Clone(whole)
	change(whole)
	return whole
}

// unusable returns files that must stay unchanged.
func unusable(tb testing.TB) map[string]struct {
	content []byte
	is      error
} {
	good := goodFile(tb)
	page := os.Getpagesize()
	at := locate(tb, good)
	used := at.pages * page
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
		"text":                       {[]byte("not a bolt file"), boltfile.ErrForeign},
		"zeros":                      {make([]byte, 64<<10), boltfile.ErrForeign},
		"noise":                      {bytes.Repeat([]byte("noise"), 20000), boltfile.ErrForeign},
		"cut by a page":              {good[:used-page], boltfile.ErrDamaged},
		"cut by a byte":              {good[:used-1], boltfile.ErrDamaged},
		"cut to its meta pages":      {good[:2*page], boltfile.ErrDamaged},
		"cut to one meta page":       {good[:page], boltfile.ErrDamaged},
		"cut in the meta page":       {good[:60], boltfile.ErrForeign},
		"both meta pages flipped":    {change(good, func(b []byte) { b[pageHead+20] ^= 1; b[page+pageHead+20] ^= 1 }), boltfile.ErrDamaged},
		"another version of bolt":    {change(good, func(b []byte) { b[pageHead+4]++; b[page+pageHead+4]++ }), boltfile.ErrForeign},
		"free pages in use":          {change(good, func(b []byte) { listUsed(b, at, page, at.root) }), boltfile.ErrDamaged},
		"free pages on themselves":   {change(good, func(b []byte) { listUsed(b, at, page, at.freelist) }), boltfile.ErrDamaged},
		"free pages out of order":    {change(good, func(b []byte) { b[at.freelist*page+pageHead] = 0 }), boltfile.ErrDamaged},
		"free pages of another type": {change(good, func(b []byte) { b[at.freelist*page+8] = leafPage }), boltfile.ErrDamaged},
		"page below itself":          {change(good, func(b []byte) { nameItself(b, at, page) }), boltfile.ErrDamaged},
		"root of unknown type":       {change(good, func(b []byte) { b[at.root*page+8] = 7 }), boltfile.ErrDamaged},
		"root is another page":       {change(good, func(b []byte) { b[at.root*page]++ }), boltfile.ErrDamaged},
		"no buckets":                 {boltFile(tb, nil, func(*bbolt.Tx) error { return nil }), boltfile.ErrForeign},
		"another program's":          {other("acme", "key", "value"), boltfile.ErrForeign},
		"sessions of another":        {other("sessions", "key", "value"), boltfile.ErrForeign},
		"a newer format":             {other("caddy-session", "format", "2"), boltfile.ErrForeign},
		"no format":                  {other("caddy-session", "key", "value"), boltfile.ErrDamaged},
		"no sessions":                {other("caddy-session", "format", "1"), boltfile.ErrDamaged},
	}
}

// listUsed makes a page in use the only one on the list of free pages.
func listUsed(b []byte, at places, page, used int) {
	list := b[at.freelist*page:]
	order.PutUint16(list[10:], 1)
	order.PutUint64(list[pageHead:], uint64(used))
}

// nameItself makes the branch page of the sessions one of its own children.
func nameItself(b []byte, at places, page int) {
	order.PutUint64(b[at.sessions*page+pageHead+8:], uint64(at.sessions))
}

func TestCheck(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "sessions.db")
	if err := Check(path); err != nil {
		t.Errorf("no file: %v", err)
	}
	if err := Check(folder); !errors.Is(err, boltfile.ErrForeign) {
		t.Errorf("a folder: %v", err)
	}
	for name, file := range unusable(t) {
		if err := os.WriteFile(path, file.content, 0o600); err != nil {
			t.Fatal(err)
		}
		switch name {
		case "free pages in use", "free pages on themselves", "page below itself":
			continue // a few pages do not show it
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

// TestCheckWhileWriting checks a file that changes and grows meanwhile.
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

func TestUnusableFileIsUnchanged(t *testing.T) {
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

// TestEmptyFileIsInitialized checks that an empty file, as a crash or an operator leaves it,
// becomes one without sessions, with the same owner and mode.
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
		t.Errorf("the check has changed it: %v", err)
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

// damagedPages damage a page of sessions.
var damagedPages = map[string]func(page []byte){
	"erased":       func(b []byte) { clear(b) },
	"another page": func(b []byte) { b[0]++ },
	"no such kind": func(b []byte) { b[8] = 0x40 },
	"a meta page":  func(b []byte) { b[8] = 0x04 },
	"far outside":  func(b []byte) { order.PutUint32(b[pageHead+4:], 0x7fffff00) },
	"a long key":   func(b []byte) { order.PutUint32(b[pageHead+8:], 4<<20) },
	"a long value": func(b []byte) { order.PutUint32(b[pageHead+12:], 2<<20) },
	"a longer key": func(b []byte) { // the rest is in order
		order.PutUint32(b[pageHead+8:], order.Uint32(b[pageHead+8:])+1)
		order.PutUint32(b[pageHead+12:], order.Uint32(b[pageHead+12:])-1)
	},
	"no elements":   func(b []byte) { b[10] = 0 },
	"a longer page": func(b []byte) { b[12]++ },
	"no key":        func(b []byte) { order.PutUint32(b[pageHead+8:], 0) },
	"many elements": func(b []byte) { order.PutUint16(b[10:], 0xfff0) },
	"endless":       func(b []byte) { order.PutUint32(b[12:], 0x7fffffff) },
	"a bucket flag": func(b []byte) { b[pageHead] = bucketFlag },
}

// TestDamagedPage damages one page of sessions. It is found when the file is opened.
func TestDamagedPage(t *testing.T) {
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
			if _, err := s.Get(t.Context(), "key100"); !errors.Is(err, boltfile.ErrDamaged) {
				t.Errorf("%s, %s: got %v", name, list, err)
			}
			closeStore(t, s)
			if is, err := os.ReadFile(path); err != nil || !bytes.Equal(is, content) {
				t.Errorf("%s, %s: the file has changed", name, list)
			}
		}
	}
}

// TestPageDamagedWhileOpen checks that the process survives, that sessions on other pages are read,
// saved and deleted, and that the damage does not spread: when the page is put back, all is well.
func TestPageDamagedWhileOpen(t *testing.T) {
	good := goodFile(t)
	for name, damage := range damagedPages {
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
			lost := keysOf(pageOf(t, good, good, sessionKey(100)))
			expect := make([][]byte, 200)
			for i := range expect {
				expect[i] = sessionValue(i)
				if i%10 != 0 && (i < 85 || i > 115) {
					continue
				}
				key := string(sessionKey(i))
				e, err := s.Get(t.Context(), key)
				switch {
				case err != nil && (!errors.Is(err, boltfile.ErrDamaged) || !errors.Is(err, sessionstore.ErrUnavailable)):
					t.Fatalf("getting %d: %v", i, err)
				case !lost[key] && (err != nil || !bytes.Equal(e.Value, expect[i])):
					t.Fatalf("got %.10q, %v for session %d", e.Value, err, i)
				}
				_, err = s.CompareAndSet(t.Context(), key, e.Value, []byte("new"), time.Hour)
				switch {
				case lost[key] && !errors.Is(err, boltfile.ErrDamaged), !lost[key] && err != nil:
					t.Fatalf("saving %d: %v", i, err)
				case err == nil:
					expect[i] = []byte("new")
				}
			}
			for i := 85; i <= 115; i++ { // bbolt merges the pages beside the damaged one
				key := string(sessionKey(i))
				_, err := s.CompareAndDelete(t.Context(), key, expect[i])
				switch {
				case lost[key] && !errors.Is(err, boltfile.ErrDamaged), !lost[key] && err != nil:
					t.Fatalf("deleting %d: %v", i, err)
				case err == nil:
					expect[i] = nil
					want(t, s, key, nil)
				}
			}
			_ = s.Close()
			if held(path) {
				t.Error("the file is still held")
			}
			restore(t, path, good, sessionKey(100))
			s = openTemp(t, Options{Path: path})
			for i, value := range expect {
				want(t, s, string(sessionKey(i)), value)
			}
		})
	}
}

// keysOf returns the keys on a leaf page.
func keysOf(page []byte) map[string]bool {
	keys := make(map[string]bool)
	for i := range int(order.Uint16(page[10:])) {
		e := page[pageHead+16*i:]
		pos, length := order.Uint32(e[4:]), order.Uint32(e[8:])
		keys[string(e[pos:pos+length])] = true
	}
	return keys
}

// places are the numbers of pages in a good file, and how many it has.
type places struct{ pages, freelist, root, sessions int }

// locate finds the pages with the help of bbolt.
func locate(tb testing.TB, good []byte) (p places) {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "good.db")
	if err := os.WriteFile(path, good, 0o600); err != nil {
		tb.Fatal(err)
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, PreLoadFreelist: true})
	if err != nil {
		tb.Fatal(err)
	}
	defer db.Close()
	err = db.View(func(tx *bbolt.Tx) error {
		p.root = int(tx.Cursor().Bucket().Root())
		p.sessions = int(tx.Bucket(sessionsBucket).Root())
		p.pages = int(tx.Size()) / db.Info().PageSize
		for id := 2; id < p.pages; id++ {
			info, err := tx.Page(id)
			if err != nil {
				return err
			}
			if info.Type == "freelist" {
				p.freelist = id
			}
			id += info.OverflowCount
		}
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// pageOf returns the part of a copy of a good file that is the leaf page of a session.
func pageOf(t *testing.T, good, content, key []byte) []byte {
	at, size := offsetOf(t, good, key), os.Getpagesize()
	return content[at : at+size]
}

// restore puts the leaf page of a session back.
func restore(t *testing.T, path string, good, key []byte) {
	fd, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = fd.WriteAt(pageOf(t, good, good, key), int64(offsetOf(t, good, key)))
	if err := errors.Join(err, fd.Close()); err != nil {
		t.Fatal(err)
	}
}

func offsetOf(t *testing.T, good, key []byte) int {
	size := os.Getpagesize()
	for id := locate(t, good).sessions; ; {
		page := good[id*size : (id+1)*size]
		if page[8] == leafPage {
			return id * size
		}
		for i := range int(order.Uint16(page[10:])) {
			e := page[pageHead+16*i:]
			pos, length := order.Uint32(e), order.Uint32(e[4:])
			if bytes.Compare(e[pos:pos+length], key) <= 0 {
				id = int(order.Uint64(e[8:]))
			}
		}
	}
}

// TestOverwrittenWhileOpen overwrites the file that the store has mapped.
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
			// "key100" is cached.
			if _, err := s.Get(t.Context(), "key101"); !errors.Is(err, sessionstore.ErrUnavailable) {
				t.Errorf("got %v", err)
			}
			eventually(t, "the store says what is wrong", func() bool {
				_, err := s.CompareAndSet(t.Context(), "key", nil, nil, time.Hour)
				return errors.Is(err, boltfile.ErrDamaged) || errors.Is(err, boltfile.ErrForeign)
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

// write overwrites a file in place.
func write(path string, content []byte) error {
	fd, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = fd.WriteAt(content, 0)
	return errors.Join(err, fd.Close())
}
