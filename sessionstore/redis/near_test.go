package redis_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-session/caddy-session/internal/longtest"
	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/redis"
	"github.com/caddy-session/caddy-session/test/redistest"
)

// near returns a store with a near cache and one without, on the same records.
func near(t *testing.T, server *redistest.Server, set func(*redis.Options)) (cached, other *store) {
	t.Helper()
	o := redis.Options{Addrs: []string{server.Addr()}, NearCache: new(redis.NearCache), KeyPrefix: fmt.Sprint(last.Add(1), ":")}
	if set != nil {
		set(&o)
	}
	cached = open(t, o)
	o.NearCache = nil
	return cached, open(t, o)
}

// warm reads until the near cache returns the record.
func (s *store) warm(key string, value []byte) {
	s.t.Helper()
	for range 3 {
		s.want(key, value)
	}
}

func TestNearCacheTakesNoRoundTrip(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Options{})
	s, _ := near(t, server, nil)
	one := record(500)
	s.save("k", nil, one)
	s.warm("k", one)
	seen := server.Monitor()
	for range 1000 {
		s.want("k", one)
	}
	if got := seen(); len(got) > 0 {
		t.Errorf("1000 reads took %q", names(got))
	}
	two := record(500)
	s.save("k", one, two)
	s.want("k", two)
	s.want("k", two)
	seen()
	s.want("k", two)
	if got := seen(); len(got) > 0 {
		t.Errorf("a read after a save and two reads took %q", names(got))
	}
}

// A fetch asks for one byte more than the record had: by now the value may be of any size.
func TestNearCacheFetchesNoMoreThanThereWas(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Options{})
	s, _ := near(t, server, nil)
	seen := server.Monitor()
	one, fetched := record(500), 0
	s.save("k", nil, one)
	s.want("k", one)
	for _, c := range seen() {
		if c.Name() != "GETRANGE" {
			continue
		}
		fetched++
		if want := []string{s.prefixed("k"), "0", fmt.Sprint(len(one))}; !slices.Equal(c.Args[1:], want) {
			t.Errorf("a record of %d bytes is fetched by %v", len(one), c)
		}
	}
	if fetched == 0 {
		t.Error("nothing was fetched")
	}
}

// A write through a store is visible to every later read through it.
func TestNearCacheReadsItsOwnWrites(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Options{})
	for _, pipelining := range []bool{false, true} {
		t.Run(fmt.Sprint("pipelining ", pipelining), func(t *testing.T) {
			t.Parallel()
			s, _ := near(t, server, func(o *redis.Options) {
				o.Pipelining, o.NearCache.MaxEntries = pipelining, 64
			})
			const keys, rounds = 4, 200
			numbered := func(n uint64) []byte { return binary.BigEndian.AppendUint64(record(20), n) }
			numberOf := func(value []byte) uint64 {
				if value == nil {
					return 0
				}
				return binary.BigEndian.Uint64(value[len(value)-8:])
			}
			var all, readers sync.WaitGroup
			var stop atomic.Bool
			var written [keys]atomic.Uint64
			for i := range keys {
				key := fmt.Sprint("k", i)
				for range 2 {
					readers.Go(func() {
						for !stop.Load() {
							least := written[i].Load()
							if got := numberOf(s.read(key)); got < least {
								t.Errorf("read %d after %d was written", got, least)
								return
							}
							time.Sleep(100 * time.Microsecond) // so that the writers get CPU time
						}
					})
				}
				all.Go(func() {
					var now []byte
					for n := uint64(1); n <= rounds; n++ {
						next := numbered(n)
						if err := s.try(key, now, next); err != nil {
							t.Errorf("saving: %v", err)
							return
						}
						now = next
						written[i].Store(n)
						for range rand.IntN(4) {
							s.want(key, now)
						}
						if n%20 == 0 {
							if err := s.Touch(t.Context(), key, now, 2*time.Hour); err != nil {
								t.Error(err)
							}
							if e, err := s.Get(t.Context(), key); err != nil || e.TTL <= time.Hour {
								t.Errorf("after a touch %v are left: %v", e.TTL, err)
							}
						}
					}
				})
			}
			all.Wait()
			stop.Store(true)
			readers.Wait()
			for i := range keys {
				key := fmt.Sprint("k", i)
				value := s.read(key)
				if _, err := s.CompareAndDelete(t.Context(), key, value); err != nil {
					t.Error(err)
				}
				s.want(key, nil)
			}
		})
	}
}

// A write by another process becomes visible within the time that the documentation gives.
func TestNearCacheStaleness(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Options{})
	for what, write := range map[string]func(other *store, old []byte) []byte{
		"change": func(other *store, old []byte) []byte {
			next := record(500)
			other.save("k", old, next)
			return next
		},
		"end": func(other *store, old []byte) []byte {
			if _, err := other.CompareAndDelete(other.t.Context(), "k", old); err != nil {
				other.t.Error(err)
			}
			return nil
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			s, other := near(t, server, func(o *redis.Options) { o.Pipelining = true })
			var all []time.Duration
			for range 300 {
				one := record(500)
				other.save("k", other.read("k"), one)
				eventually(t, redis.MaxStaleness, func() error {
					if !bytes.Equal(s.read("k"), one) {
						return errors.New("not visible")
					}
					return nil
				})
				s.warm("k", one)
				next := write(other, one)
				all = append(all, eventually(t, redis.MaxStaleness, func() error {
					if !bytes.Equal(s.read("k"), next) {
						return errors.New("not visible")
					}
					return nil
				}))
			}
			slices.Sort(all)
			t.Logf("a %s by another process is visible after %v (median), %v (99th percentile), %v (maximum)", what, all[150], all[297], all[299])
			if all[299] >= redis.MaxStaleness {
				t.Errorf("visible only after %v", all[299])
			}
		})
	}
}

// The near cache does not return an expired record.
func TestNearCacheExpires(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Options{})
	s, other := near(t, server, nil)
	one := record(100)
	if _, err := other.CompareAndSet(t.Context(), "k", nil, one, 200*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	end := time.Now().Add(200 * time.Millisecond)
	for asked := time.Now(); asked.Before(end.Add(100 * time.Millisecond)); asked = time.Now() {
		if got := s.read("k"); got != nil && asked.After(end.Add(50*time.Millisecond)) {
			t.Fatalf("still returned %v after it expired", asked.Sub(end))
		}
	}
}

func TestNearCacheIsBounded(t *testing.T) {
	longtest.Test(t)
	t.Parallel()
	server := redistest.Start(t, redistest.Options{})
	for name, test := range map[string]struct {
		bounds          redis.NearCache
		atLeast, atMost int // the number of copies of 200 records
	}{
		"entries": {redis.NearCache{MaxEntries: 64}, 8, 64},
		"bytes":   {redis.NearCache{MaxBytes: 160 << 10}, 8, 160},
		"neither": {redis.NearCache{}, 150, 200},
	} {
		t.Run(name, func(t *testing.T) {
			s, other := near(t, server, func(o *redis.Options) { *o.NearCache = test.bounds })
			const n = 200
			values := make([][]byte, n)
			for i := range n {
				values[i] = record(1000)
				other.save(fmt.Sprint("k", i), nil, values[i])
			}
			began := time.Now()
			for i := range n {
				s.want(fmt.Sprint("k", i), values[i])
				s.want(fmt.Sprint("k", i), values[i])
			}
			seen := server.Monitor()
			// the latest first: a copy that is not there replaces another
			for i := n - 1; i >= 0; i-- {
				s.want(fmt.Sprint("k", i), values[i])
			}
			// older copies are not used, and the machine may be busy
			fresh := time.Since(began) < redis.MaxStaleness
			asked := make(map[string]bool)
			for _, c := range seen() {
				for _, arg := range c.Args {
					asked[arg] = true
				}
			}
			copies := 0
			for i := range n {
				if !asked[s.prefixed(fmt.Sprint("k", i))] {
					copies++
				}
			}
			t.Logf("%d copies", copies)
			if copies > test.atMost || fresh && copies < test.atLeast {
				t.Errorf("%d copies, want %d to %d", copies, test.atLeast, test.atMost)
			}
		})
	}
}

// While a server is down, and after it is back without its records or with others, the near cache
// returns nothing older than MaxStaleness.
func TestNearCacheServerRestart(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, o redis.Options) {
		server := redistest.Start(t, redistest.Options{})
		s, other := near(t, server, func(set *redis.Options) { *set = usual(*set); set.Pipelining = o.Pipelining })
		one, two := record(100), record(100)
		other.save("k", nil, one)
		s.warm("k", one)
		server.Kill()
		killed := time.Now()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var latest atomic.Int64 // when the near cache last returned the copy
		var reading sync.WaitGroup
		for range 4 {
			reading.Go(func() {
				for ctx.Err() == nil {
					asked := time.Since(killed)
					e, err := s.Get(ctx, "k")
					if err == nil && bytes.Equal(e.Value, one) {
						latest.Store(int64(asked))
					}
					time.Sleep(time.Millisecond)
				}
			})
		}
		time.Sleep(200 * time.Millisecond)
		server.Restart()
		restarted := time.Now()
		eventually(t, recovery, func() error { return other.try("k", nil, two) })
		eventually(t, recovery, func() error {
			if e, err := s.Get(t.Context(), "k"); err != nil || !bytes.Equal(e.Value, two) {
				return fmt.Errorf("not visible: %w", err)
			}
			return nil
		})
		took := time.Since(restarted)
		time.Sleep(300 * time.Millisecond)
		cancel()
		reading.Wait()
		t.Logf("the near cache returned the copy for %v after the kill; a new record was visible %v after the restart", time.Duration(latest.Load()), took)
		if old := time.Duration(latest.Load()); old > redis.MaxStaleness+300*time.Millisecond {
			t.Errorf("the near cache returned the copy for %v after the kill", old)
		}
		s.warm("k", two)
		seen := server.Monitor()
		s.want("k", two)
		if got := seen(); len(got) > 0 {
			t.Errorf("the cache does not work again: %q", names(got))
		}
	})
}

// A paused server sends no invalidations, and its connections stay open.
func TestNearCacheServerPause(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Options{})
	s, _ := near(t, server, func(o *redis.Options) { *o = usual(*o) })
	one := record(100)
	s.save("k", nil, one)
	s.warm("k", one)
	server.Pause()
	defer server.Resume()
	paused := time.Now()
	var old time.Duration
	for time.Since(paused) < redis.MaxStaleness+500*time.Millisecond {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		asked := time.Since(paused)
		if e, err := s.Get(ctx, "k"); err == nil && e.Found() {
			old = asked
		}
		cancel()
		time.Sleep(time.Millisecond)
	}
	t.Logf("the near cache returned the copy for %v", old)
	if old > redis.MaxStaleness+300*time.Millisecond {
		t.Errorf("the near cache returned the copy for %v", old)
	}
}

var _ sessionstore.Store = (*store)(nil)
