package redis_test

import (
	"bytes"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/internal/longtest"
	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/redis"
	"github.com/caddy-session/caddy-session/test/redistest"
)

// Another program puts 50 MB under a session's key. Every operation fails, without reading the
// value into memory and without changing it.
func TestValueBomb(t *testing.T) {
	// Not parallel: it measures the allocations of this process.
	server := redistest.Start(t, redistest.Options{})
	const size = 50 << 20
	for name, set := range variants {
		t.Run(name, func(t *testing.T) {
			if name != "plain" {
				longtest.Test(t)
			}
			var o redis.Options
			set(&o)
			s := open(t, at(o, server.Addr()))
			for kind, was := range map[string][]byte{"native": record(100), "foreign": []byte(`{"of":"another program"}`)} {
				key := name + kind
				s.save(key, nil, was)
				s.warm(key, was)
				do(t, server, "SETRANGE", key, size-1, "x")
				do(t, server, "PERSIST", key)
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				err1 := sessionstore.ErrRecord
				// the near cache may return the copy for some milliseconds
				eventually(t, patience, func() error {
					if _, err1 = s.Get(t.Context(), key); err1 == nil {
						return errors.New("there is a copy still")
					}
					return nil
				})
				_, err2 := s.CompareAndSet(t.Context(), key, nil, record(100), time.Hour)
				_, err3 := s.CompareAndSet(t.Context(), key, []byte("another"), record(100), time.Hour)
				_, err4 := s.CompareAndDelete(t.Context(), key, []byte("another"))
				for i, err := range []error{err1, err2, err3, err4} {
					if !errors.Is(err, sessionstore.ErrRecord) || errors.Is(err, sessionstore.ErrConflict) {
						t.Errorf("operation %d: %v", i+1, err)
					}
				}
				if err := s.Touch(t.Context(), key, []byte("another"), time.Hour); err != nil {
					t.Error(err)
				}
				runtime.ReadMemStats(&after)
				if grown := after.TotalAlloc - before.TotalAlloc; grown > 4*sessionstore.MaxValue {
					t.Errorf("%s: %d bytes were allocated", kind, grown)
				}
				if n := do(t, server, "STRLEN", key); n != int64(size) {
					t.Errorf("%s: now %v bytes", kind, n)
				}
				if left := do(t, server, "PTTL", key); left != int64(-1) {
					t.Errorf("%s: %v left", kind, left)
				}
			}
		})
	}
}

// TestLargestValue tests both sides of the limit.
func TestLargestValue(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Options{})
	s := open(t, redis.Options{Addrs: []string{server.Addr()}})
	largest := bytes.Repeat([]byte("x"), sessionstore.MaxValue)
	do(t, server, "SET", "k", string(largest))
	s.want("k", largest)
	s.save("k", largest, largest)
	do(t, server, "APPEND", "k", "x")
	if _, err := s.Get(t.Context(), "k"); !errors.Is(err, sessionstore.ErrRecord) {
		t.Error(err)
	}
	if err := s.Touch(t.Context(), "k", largest, time.Second); err != nil {
		t.Error(err)
	}
	if left := do(t, server, "PTTL", "k").(int64); left < time.Minute.Milliseconds() {
		t.Errorf("a larger value was touched: %d ms left", left)
	}
}

// A record of another program without an expiry can be read, and saving gives it one.
func TestRecordWithoutExpiry(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Options{})
	for _, endless := range []time.Duration{0, time.Minute} {
		s := open(t, redis.Options{Addrs: []string{server.Addr()}, Endless: endless})
		do(t, server, "SET", "k", "one")
		want := endless
		if want == 0 {
			want = 100 * 365 * 24 * time.Hour
		}
		e, err := s.Get(t.Context(), "k")
		if err != nil || string(e.Value) != "one" || e.TTL != want || e.TTLUnknown {
			t.Errorf("%v, %v", e, err)
		}
		s.save("k", []byte("one"), []byte("two"))
		if e, err := s.Get(t.Context(), "k"); err != nil || e.TTL > time.Hour || e.TTL < 59*time.Minute {
			t.Errorf("%v left, %v", e.TTL, err)
		}
		do(t, server, "SET", "empty", "")
		if e, err := s.Get(t.Context(), "empty"); err != nil || !e.Found() || len(e.Value) > 0 {
			t.Errorf("an empty value: %v, %v", e, err)
		}
	}
}
