package files

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/internal/longtest"
	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/storetest"
)

// clock is a clock that moves only when told to.
type clock struct{ passed atomic.Int64 }

func (c *clock) now() time.Time          { return time.Unix(1.7e9, 0).Add(time.Duration(c.passed.Load())) }
func (c *clock) advance(d time.Duration) { c.passed.Add(int64(d)) }

// anyKey is a store that makes PHP's ids of the suite's keys.
type anyKey struct {
	*Store
	keys *sync.Map
}

// id keeps short keys readable, so that a walk by their prefix works.
func (a anyKey) id(key string) string {
	if key == "" || len(key) > sessionstore.MaxKey {
		return key
	}
	id := Prefix + hex.EncodeToString([]byte(key)) + "---" // longer than all levels
	if len(id) > sessionstore.MaxKey {
		sum := sha256.Sum256([]byte(key))
		id = Prefix + hex.EncodeToString(sum[:])
	}
	a.keys.Store(id, key)
	return id
}

func (a anyKey) Get(ctx context.Context, key string) (sessionstore.Entry, error) {
	return a.Store.Get(ctx, a.id(key))
}

func (a anyKey) CompareAndSet(ctx context.Context, key string, old, value []byte, ttl time.Duration) (sessionstore.Entry, error) {
	return a.Store.CompareAndSet(ctx, a.id(key), old, value, ttl)
}

func (a anyKey) CompareAndDelete(ctx context.Context, key string, old []byte) (sessionstore.Entry, error) {
	return a.Store.CompareAndDelete(ctx, a.id(key), old)
}

func (a anyKey) Touch(ctx context.Context, key string, old []byte, ttl time.Duration) error {
	return a.Store.Touch(ctx, a.id(key), old, ttl)
}

func (a anyKey) Walk(ctx context.Context, prefix, after string, limit int) (sessionstore.Page, error) {
	page, err := a.Store.Walk(ctx, Prefix+hex.EncodeToString([]byte(prefix)), after, limit)
	for i, r := range page.Records {
		key, _ := a.keys.Load(r.Key)
		page.Records[i].Key = key.(string)
	}
	return page, err
}

// TestStore runs the store suite in folders with and without levels.
func TestStore(t *testing.T) {
	for name, levels := range map[string]int{"flat": 0, "two levels": 2} {
		t.Run(name, func(t *testing.T) {
			if levels != 0 {
				longtest.Test(t)
			}
			var c clock
			keys := new(sync.Map)
			open := func(dir string) sessionstore.Store {
				return anyKey{Open(Options{Dir: dir, Levels: levels, UID: -1, Now: c.now}), keys}
			}
			again := func(_ *testing.T, s sessionstore.Store) sessionstore.Store { return open(s.(anyKey).o.Dir) }
			storetest.Run(t, storetest.Harness{
				New: func(t *testing.T) sessionstore.Store {
					dir := inMemory(t)
					makeLevels(t, dir, levels)
					return open(dir)
				},
				Second: again, Reopen: again, Advance: c.advance,
			})
		})
	}
}

// inMemory returns a folder in memory if the system has one: syncing to disk is the slow part.
func inMemory(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "php")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// makeLevels makes the folders of the levels, as PHP's mod_files.sh does for ids of 4 bits.
func makeLevels(t *testing.T, dir string, levels int) {
	if levels == 0 {
		return
	}
	for _, c := range "0123456789abcdef" {
		below := filepath.Join(dir, string(c))
		if err := os.Mkdir(below, 0o700); err != nil {
			t.Fatal(err)
		}
		makeLevels(t, below, levels-1)
	}
}
