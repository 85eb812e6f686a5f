package redis_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/internal/pace"
	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/redis"
	"github.com/caddy-session/caddy-session/test/redistest"
)

// TestMain runs more tests in parallel than there are CPUs, since they mostly wait.
func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		_ = f.Value.Set("16")
	}
	os.Exit(m.Run())
}

// variants are the ways to use a single server. All of them must keep the contract.
var variants = map[string]func(*redis.Options){
	"plain":      func(*redis.Options) {},
	"pipelining": func(o *redis.Options) { o.Pipelining = true },
	"near cache": func(o *redis.Options) { o.NearCache = new(redis.NearCache) },
	"both":       func(o *redis.Options) { o.Pipelining, o.NearCache = true, new(redis.NearCache) },
}

// twoWays are the variants that work with any kind of server.
var twoWays = []string{"plain", "pipelining"}

// eachWay runs a test without and with pipelining.
func eachWay(t *testing.T, test func(t *testing.T, o redis.Options)) {
	for _, name := range twoWays {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var o redis.Options
			variants[name](&o)
			test(t, o)
		})
	}
}

// store is a store whose helper methods fail the test on an error.
type store struct {
	*redis.Store
	t      testing.TB
	prefix string
}

// prefixed returns a key as the server sees it.
func (s *store) prefixed(key string) string { return s.prefix + key }

// open opens a store with long timeouts for a busy machine, unless o has timeouts.
func open(t testing.TB, o redis.Options) *store {
	t.Helper()
	if o.ReadTimeout == 0 {
		o.DialTimeout, o.ReadTimeout, o.WriteTimeout = patience, patience, patience
	}
	s, err := redis.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return &store{s, t, o.KeyPrefix}
}

const patience = 5 * time.Second

// usual returns o with the default timeouts.
func usual(o redis.Options) redis.Options {
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout = redis.DefaultDialTimeout, redis.DefaultReadTimeout, redis.DefaultWriteTimeout
	return o
}

// at returns o with other addresses.
func at(o redis.Options, addrs ...string) redis.Options {
	o.Addrs = addrs
	return o
}

func (s *store) read(key string) []byte {
	s.t.Helper()
	e, err := s.Get(s.t.Context(), key)
	if err != nil {
		s.t.Fatalf("getting: %v", err)
	}
	return e.Value
}

func (s *store) want(key string, value []byte) {
	s.t.Helper()
	if got := s.read(key); !bytes.Equal(got, value) {
		s.t.Errorf("got %.20q, want %.20q", got, value)
	}
}

func (s *store) save(key string, old, value []byte) {
	s.t.Helper()
	if err := s.try(key, old, value); err != nil {
		s.t.Fatalf("saving: %v", err)
	}
}

func (s *store) try(key string, old, value []byte) error {
	_, err := s.CompareAndSet(s.t.Context(), key, old, value, time.Hour)
	return err
}

// operations are all operations of a store.
func (s *store) operations(ctx context.Context, key string, old, value []byte) map[string]func() error {
	return map[string]func() error{
		"get":    func() error { _, err := s.Get(ctx, key); return err },
		"set":    func() error { _, err := s.CompareAndSet(ctx, key, old, value, time.Hour); return err },
		"delete": func() error { _, err := s.CompareAndDelete(ctx, key, old); return err },
		"touch":  func() error { return s.Touch(ctx, key, old, time.Hour) },
	}
}

// basics runs each operation once, on a record of its own.
func (s *store) basics(ctx context.Context) error {
	key := fmt.Sprint("basics", last.Add(1))
	one, two := record(500), record(500)
	if _, err := s.Get(ctx, key); err != nil {
		return fmt.Errorf("reading a missing record: %w", err)
	}
	if _, err := s.CompareAndSet(ctx, key, nil, one, time.Hour); err != nil {
		return fmt.Errorf("creating: %w", err)
	}
	if _, err := s.CompareAndSet(ctx, key, one, two, time.Hour); err != nil {
		return fmt.Errorf("saving: %w", err)
	}
	if e, err := s.CompareAndSet(ctx, key, one, record(1), time.Hour); !errors.Is(err, sessionstore.ErrConflict) || !bytes.Equal(e.Value, two) {
		return fmt.Errorf("no conflict: %w", err)
	}
	for range 3 { // the second read fills the near cache
		if e, err := s.Get(ctx, key); err != nil || !bytes.Equal(e.Value, two) {
			return fmt.Errorf("getting: found %t: %w", e.Found(), err)
		}
	}
	if err := s.Touch(ctx, key, two, 2*time.Hour); err != nil {
		return fmt.Errorf("touching: %w", err)
	}
	if e, err := s.Get(ctx, key); err != nil || e.TTL <= time.Hour {
		return fmt.Errorf("a record that was touched: %v left: %w", e.TTL, err)
	}
	whole := []byte("a record of another format") // compared as a whole
	if _, err := s.CompareAndSet(ctx, key, two, whole, time.Hour); err != nil {
		return fmt.Errorf("saving in another format: %w", err)
	}
	if err := s.Touch(ctx, key, whole, 2*time.Hour); err != nil {
		return fmt.Errorf("touching another format: %w", err)
	}
	if _, err := s.CompareAndDelete(ctx, key, whole); err != nil {
		return fmt.Errorf("deleting: %w", err)
	}
	if e, err := s.Get(ctx, key); err != nil || e.Found() {
		return fmt.Errorf("reading a deleted record: found %t: %w", e.Found(), err)
	}
	return nil
}

// last numbers keys and stores, so that each test has its own.
var last atomic.Int64

// record returns a record like that of a session: records differ at the beginning.
func record(size int) []byte {
	b := make([]byte, sessionstore.VersionLen+1+size)
	_, _ = rand.Read(b)
	b[0] = sessionstore.FormatNative
	return b
}

// unavailable checks that err wraps ErrUnavailable and is no conflict.
func unavailable(t testing.TB, what string, err error) {
	t.Helper()
	if !errors.Is(err, sessionstore.ErrUnavailable) || errors.Is(err, sessionstore.ErrConflict) {
		t.Errorf("%s: got %v, want ErrUnavailable", what, err)
	}
}

// eventually waits until f returns no error, as long as the machine runs.
func eventually(t testing.TB, patience time.Duration, f func() error) time.Duration {
	t.Helper()
	begin := pace.Ran()
	for {
		err := f()
		took := pace.Ran() - begin
		if err == nil {
			return took
		}
		if took > patience {
			t.Fatalf("still failing after %v: %v", patience, err)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// lasts returns the duration of f, without the time in which the machine stands still.
func lasts(f func()) time.Duration {
	begin := pace.Ran()
	f()
	return pace.Ran() - begin
}

func meanOf(all []time.Duration) time.Duration {
	var sum time.Duration
	for _, d := range all {
		sum += d
	}
	return sum / time.Duration(len(all))
}

func do(t testing.TB, s *redistest.Server, args ...any) any {
	t.Helper()
	reply, err := s.Do(args...)
	if err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	return reply
}
