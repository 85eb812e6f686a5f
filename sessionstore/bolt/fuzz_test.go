package bolt

import (
	"bytes"
	"errors"
	"hash/fnv"
	"os"
	"path/filepath"
	"testing"
	"time"

	bbolt "go.etcd.io/bbolt"

	"github.com/caddy-session/caddy-session/internal/boltfile"
)

// fuzzPage is the page size of fuzzed files. Small files are faster.
const fuzzPage = 1 << 10

// FuzzCheck checks files with any content. Check must not panic, must not change the file, and must
// return the same result again.
func FuzzCheck(f *testing.F) {
	f.Add([]byte(nil))
	f.Add([]byte("not a bolt file"))
	f.Add(sessionsFile(f, 3, fuzzPage, true))
	f.Add(sessionsFile(f, 0, fuzzPage, false))
	f.Add(boltFile(f, &bbolt.Options{PageSize: fuzzPage}, func(*bbolt.Tx) error { return nil }))
	path := filepath.Join(f.TempDir(), "sessions.db")
	f.Fuzz(func(t *testing.T, content []byte) {
		sign(content)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		err := Check(path)
		if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, content) {
			t.Error("the file has changed")
		}
		if again := Check(path); (again == nil) != (err == nil) {
			t.Errorf("first %v, then %v", err, again)
		}
		if err != nil && !errors.Is(err, boltfile.ErrDamaged) && !errors.Is(err, boltfile.ErrForeign) {
			t.Error(err)
		}
		alone(t, path)
	})
}

// sign corrects the checksums of the meta pages.
func sign(content []byte) {
	for _, meta := range []int{pageHead, fuzzPage + pageHead} {
		if len(content) < meta+metaLen {
			return
		}
		sum := fnv.New64a()
		_, _ = sum.Write(content[meta : meta+metaLen-8])
		order.PutUint64(content[meta+metaLen-8:], sum.Sum64())
	}
}

// FuzzOpen damages a good file and uses it. No damage may end the process.
func FuzzOpen(f *testing.F) {
	good := sessionsFile(f, 20, fuzzPage, false)
	f.Add(uint32(0), []byte{})
	for page := uint32(0); page < uint32(len(good)); page += fuzzPage {
		f.Add(page, []byte{1, 1})
		f.Add(page+8, []byte{1})
		f.Add(page+10, []byte{1, 0, 1})
		f.Add(page+pageHead, []byte{1, 0, 0, 0, 0, 1})
		f.Add(page+pageHead+4, []byte{0, 0, 0, 0x70})
		f.Add(page+pageHead+8, []byte{2, 0, 0, 0, 0, 0, 0, 0x10})
	}
	f.Fuzz(func(t *testing.T, at uint32, patch []byte) {
		path := filepath.Join(t.TempDir(), "sessions.db")
		content := bytes.Clone(good)
		copy(content[int(at)%len(content):], patch)
		sign(content)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		s := openTemp(t, Options{Path: path, sweepInterval: time.Nanosecond, tune: func(o *bbolt.Options) { o.NoSync = true }})
		for i := range 20 {
			key := string(sessionKey(i))
			e, _ := s.Get(t.Context(), key)
			if i%5 == 0 {
				_, _ = s.CompareAndSet(t.Context(), key, e.Value, []byte("new"), time.Hour)
			}
		}
		_ = s.Close()
	})
}
