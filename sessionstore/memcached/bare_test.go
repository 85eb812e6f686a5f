package memcached_test

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/caddy-session/caddy-session/internal/longtest"
	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/layout"
	"github.com/caddy-session/caddy-session/sessionstore/memcached"
	"github.com/caddy-session/caddy-session/sessionstore/storetest"
	"github.com/caddy-session/caddy-session/test/memcachedtest"
)

// python has the flags of the clients for Python.
var python = &layout.Memcached{Plain: 16, Zlib: 8}

// longest is longer than any time to live in the suite.
const longest = 500 * 24 * time.Hour

// told is a bare store that returns the time to live that the server reports for each entry. The
// store's own client does not speak the protocol that this needs.
type told struct {
	store
	t    *testing.T
	addr string
}

func (s told) tell(key string, e sessionstore.Entry, err error) (sessionstore.Entry, error) {
	if !e.Found() {
		return e, err
	}
	if !e.TTLUnknown || e.TTL != longest {
		s.t.Errorf("time to live: %v", e.TTL)
	}
	e.TTL = max(left(s.t, s.addr, s.prefix+key), time.Millisecond)
	return e, err
}

func (s told) Get(ctx context.Context, key string) (sessionstore.Entry, error) {
	e, err := s.Store.Get(ctx, key)
	return s.tell(key, e, err)
}

func (s told) CompareAndSet(ctx context.Context, key string, old, value []byte, ttl time.Duration) (sessionstore.Entry, error) {
	e, err := s.Store.CompareAndSet(ctx, key, old, value, ttl)
	return s.tell(key, e, err)
}

func (s told) CompareAndDelete(ctx context.Context, key string, old []byte) (sessionstore.Entry, error) {
	e, err := s.Store.CompareAndDelete(ctx, key, old)
	return s.tell(key, e, err)
}

// left asks the server for the remaining time of an item: 0 if there is none, negative if it never
// expires.
func left(t *testing.T, addr, key string) time.Duration {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Error(err)
		return 0
	}
	defer conn.Close()
	fmt.Fprintf(conn, "mg %s t\r\n", key)
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		t.Error(err)
		return 0
	}
	seconds, _ := strconv.Atoi(strings.TrimPrefix(strings.TrimSpace(line), "HD t"))
	return time.Duration(seconds) * time.Second
}

func TestBareStore(t *testing.T) {
	longtest.Test(t)
	t.Parallel()
	server := memcachedtest.Start(t)
	open := func(t *testing.T, prefix string) sessionstore.Store {
		s, err := memcached.Open(memcached.Options{Addrs: []string{server.Addr}, KeyPrefix: prefix, Timeout: 5 * time.Second, Layout: python, Lifetime: longest})
		if err != nil {
			t.Fatal(err)
		}
		return told{store{s, prefix}, t, server.Addr}
	}
	again := func(t *testing.T, s sessionstore.Store) sessionstore.Store { return open(t, s.(told).prefix) }
	storetest.Run(t, storetest.Harness{
		New:    func(t *testing.T) sessionstore.Store { return open(t, fmt.Sprintf("%d:", last.Add(1))) },
		Second: again, Reopen: again,
		Tick: time.Second,
	})
}

func deflate(value string) []byte {
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	_, _ = z.Write([]byte(value))
	_ = z.Close()
	return b.Bytes()
}

// bare returns a store that shares an app's records, and a client like the app's.
func bare(t *testing.T, args ...string) (*memcached.Store, *memcache.Client, string) {
	server := memcachedtest.Start(t, args...)
	direct := memcache.New(server.Addr)
	direct.Timeout = 10 * time.Second
	return open(t, memcached.Options{Addrs: []string{server.Addr}, Timeout: 5 * time.Second, Layout: python, Lifetime: 31 * 24 * time.Hour}), direct, server.Addr
}

// The flags of those clients: none for bytes, 16 for text, 8 for a compressed value.
func TestItemFlags(t *testing.T) {
	t.Parallel()
	s, direct, _ := bare(t)
	const one, two = "\x82\xaa_permanent\xc3\xa3uid\xa6bmakan", "\x81\xaa_permanent\xc3"
	for _, test := range []struct {
		name        string
		flags       uint32
		value, then []byte
	}{
		{"bytes", 0, []byte(one), []byte(two)},
		{"text", 16, []byte(one), []byte(two)},
		{"compressed", 8, deflate(one), deflate(two)},
		{"compressed text", 24, deflate(one), deflate(two)},
	} {
		key := "session:" + strings.ReplaceAll(test.name, " ", "-")
		if err := direct.Set(&memcache.Item{Key: key, Value: test.value, Flags: test.flags, Expiration: 60}); err != nil {
			t.Fatal(err)
		}
		if e, err := s.Get(t.Context(), key); err != nil || string(e.Value) != one || !e.TTLUnknown || e.TTL != 31*24*time.Hour {
			t.Errorf("%s: %v, %v", test.name, e, err)
		}
		if err := s.Touch(t.Context(), key, []byte(one), time.Hour); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		if item, err := direct.Get(key); err != nil || item.Flags != test.flags || !bytes.Equal(item.Value, test.value) {
			t.Errorf("%s, touched: %v, %v", test.name, item, err)
		}
		save(t, s, key, []byte(one), []byte(two))
		if item, err := direct.Get(key); err != nil || item.Flags != test.flags || !bytes.Equal(item.Value, test.then) {
			t.Errorf("%s, saved: %v, %v", test.name, item, err)
		}
		if e, err := s.CompareAndDelete(t.Context(), key, []byte(one)); err != sessionstore.ErrConflict || string(e.Value) != two {
			t.Errorf("%s: %v, %v", test.name, e, err)
		}
		if _, err := s.CompareAndDelete(t.Context(), key, []byte(two)); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		if _, err := direct.Get(key); err != memcache.ErrCacheMiss {
			t.Errorf("%s, deleted: %v", test.name, err)
		}
		save(t, s, key, nil, []byte(one))
		if item, err := direct.Get(key); err != nil || item.Flags != 0 || string(item.Value) != one {
			t.Errorf("%s, new: %v, %v", test.name, item, err)
		}
	}
}

// Memcached reads an expiration beyond 30 days as a Unix time.
func TestExpiry(t *testing.T) {
	t.Parallel()
	s, direct, addr := bare(t)
	for _, ttl := range []time.Duration{time.Minute, 30 * 24 * time.Hour, 30*24*time.Hour + time.Second, 31 * 24 * time.Hour, 3 * 365 * 24 * time.Hour} {
		is := func(what string) {
			t.Helper()
			if is := left(t, addr, "session:a"); is < ttl-10*time.Second || is > ttl+time.Second {
				t.Errorf("%s for %v: the server says %v", what, ttl, is)
			}
		}
		if _, err := s.CompareAndSet(t.Context(), "session:a", nil, []byte("one"), ttl); err != nil {
			t.Fatal(err)
		}
		is("new")
		for _, expiration := range []int32{0, 10} { // the app's own items may have no expiry
			if err := direct.Set(&memcache.Item{Key: "session:a", Value: []byte("one"), Expiration: expiration}); err != nil {
				t.Fatal(err)
			}
			if err := s.Touch(t.Context(), "session:a", []byte("one"), ttl); err != nil {
				t.Fatal(err)
			}
			is("touched")
		}
		if _, err := s.CompareAndSet(t.Context(), "session:a", []byte("one"), []byte("two"), ttl); err != nil {
			t.Fatal(err)
		}
		is("saved")
		if _, err := s.CompareAndDelete(t.Context(), "session:a", []byte("two")); err != nil {
			t.Fatal(err)
		}
	}
}

// refused checks that every operation on an item fails and that the item stays as it is.
func refused(t *testing.T, s *memcached.Store, direct *memcache.Client, item *memcache.Item) {
	t.Helper()
	if err := direct.Set(item); err != nil {
		t.Fatal(err)
	}
	_, err1 := s.Get(t.Context(), item.Key)
	_, err2 := s.CompareAndSet(t.Context(), item.Key, nil, []byte("two"), time.Hour)
	_, err3 := s.CompareAndSet(t.Context(), item.Key, []byte("one"), []byte("two"), time.Hour)
	_, err4 := s.CompareAndDelete(t.Context(), item.Key, []byte("one"))
	err5 := s.Touch(t.Context(), item.Key, []byte("one"), time.Hour)
	for i, err := range []error{err1, err2, err3, err4, err5} {
		if !errors.Is(err, sessionstore.ErrRecord) || errors.Is(err, sessionstore.ErrConflict) || errors.Is(err, sessionstore.ErrUnavailable) {
			t.Errorf("operation %d: %v", i+1, err)
		}
	}
	if is, err := direct.Get(item.Key); err != nil || is.Flags != item.Flags || !bytes.Equal(is.Value, item.Value) {
		t.Errorf("the item was changed, %v", err)
	}
}

// Items whose flags say that they are no bytes, and items that are not compressed as their flags
// say.
func TestUnreadableItems(t *testing.T) {
	t.Parallel()
	s, direct, _ := bare(t)
	short := deflate("one")
	for name, item := range map[string]memcache.Item{
		"pickle": {Flags: 1, Value: []byte("\x80\x04}\x94.")}, "integer": {Flags: 2, Value: []byte("1")}, "unknown": {Flags: 1 << 31, Value: []byte("one")},
		"not compressed": {Flags: 8, Value: []byte("one")}, "cut off": {Flags: 8, Value: short[:len(short)-1]}, "nothing": {Flags: 8},
	} {
		t.Run(name, func(t *testing.T) {
			item.Key = "session:a"
			refused(t, s, direct, &item)
		})
	}
}

// Items of the maximum size, and an item that is larger once it is decompressed. Neither may be
// read into memory.
func TestDecompressionBomb(t *testing.T) {
	longtest.Test(t)
	s, direct, _ := bare(t, "-I", "64m", "-m", "256")
	const size = 50 << 20
	zeros := strings.Repeat("\x00", size)
	for name, item := range map[string]memcache.Item{
		"large":       {Value: []byte(zeros)},
		"one more":    {Value: []byte(zeros[:sessionstore.MaxValue+1])},
		"deflated":    {Flags: 8, Value: deflate(zeros)},
		"deflated, 1": {Flags: 8, Value: deflate(zeros[:sessionstore.MaxValue+1])},
	} {
		t.Run(name, func(t *testing.T) {
			item.Key = "session:a"
			refused(t, s, direct, &item)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			if _, err := s.Get(t.Context(), item.Key); !errors.Is(err, sessionstore.ErrRecord) || !strings.Contains(err.Error(), "larger than") {
				t.Error(err)
			}
			runtime.ReadMemStats(&after)
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 10*sessionstore.MaxValue {
				t.Errorf("%d bytes were allocated", grown)
			}
		})
	}
	for name, item := range map[string]memcache.Item{
		"largest": {Value: []byte(zeros[:sessionstore.MaxValue])}, "largest, deflated": {Flags: 8, Value: deflate(zeros[:sessionstore.MaxValue])},
	} {
		item.Key = "session:a"
		if err := direct.Set(&item); err != nil {
			t.Fatal(err)
		}
		if e, err := s.Get(t.Context(), item.Key); err != nil || len(e.Value) != sessionstore.MaxValue {
			t.Errorf("%s: %d bytes, %v", name, len(e.Value), err)
		}
	}
}
