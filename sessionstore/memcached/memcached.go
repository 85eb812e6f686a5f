// Package memcached stores sessions in memcached, on one server or spread over several. A server
// loses sessions when it restarts or runs out of memory.
package memcached

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/caddy-session/caddy-session/internal/remote"
	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/layout"
)

const (
	// defaultTimeout is well below the second that loading or committing a session may take, so
	// that there is time for another attempt after a server that hangs.
	defaultTimeout = 400 * time.Millisecond

	// MaxPrefix is the maximum length of a key prefix, in bytes. Keys in memcached have at most
	// 250.
	MaxPrefix = 250 - sessionstore.MaxKey
)

// Options selects the servers of a [Store] and configures it.
type Options struct {
	// Addrs are the "host:port" addresses of the servers. A path that begins with "/" is a Unix
	// socket. At least one is required. The key and the set of addresses, in any order, decide
	// which server has a session. If a server is added, so that there are n, about one in n
	// sessions is looked up there and lost; the others stay where they are. If it is removed again,
	// those that were lost are there as they were before, unless they have expired.
	Addrs []string

	// KeyPrefix is put before every key. It may be empty and has at most [MaxPrefix] bytes.
	KeyPrefix string

	// Timeout bounds connecting, and waiting for a reply. Default: 400 ms.
	Timeout time.Duration

	// PoolSize is the maximum number of connections to a server. Default: 10 per CPU.
	PoolSize int

	// Layout, if not nil, shares the records of another program: items without our deadline, with
	// the flags of that program's client. It requires a single server, since each client library
	// chooses among several in its own way. If Layout is nil, each item begins with its deadline.
	Layout *layout.Memcached

	// Lifetime is how long a program with a Layout keeps a record after saving it. It must be at
	// least a second. Memcached does not report the remaining time of an item without our deadline.
	// The store then reports this as the longest possible time to live, and memcached alone, to the
	// second, decides when the record expires.
	Lifetime time.Duration

	// OnState is called with the error when a server becomes unreachable, and with nil when it is
	// reachable again. It must not block.
	OnState func(addr string, err error)
}

// Check returns the error that [Open] would return for these options.
func (o Options) Check() error { return o.complete() }

// complete checks the options and sets their defaults.
func (o *Options) complete() error {
	o.Timeout = cmp.Or(o.Timeout, defaultTimeout)
	o.PoolSize = cmp.Or(o.PoolSize, 10*runtime.GOMAXPROCS(0))
	switch {
	case len(o.Addrs) == 0:
		return errors.New("memcached: no address")
	case len(o.KeyPrefix) > MaxPrefix:
		return fmt.Errorf("memcached: key_prefix: %d bytes, the maximum is %d", len(o.KeyPrefix), MaxPrefix)
	case o.Timeout < time.Millisecond:
		return fmt.Errorf("memcached: timeout %s: must be at least 1ms", o.Timeout)
	case o.Layout != nil && len(o.Addrs) > 1:
		return errors.New("memcached: an app's records can be shared on one server only: with several, each client library chooses in its own way")
	case o.Layout != nil && o.Lifetime < time.Second:
		return fmt.Errorf("memcached: lifetime %s: must be at least 1s", o.Lifetime)
	case o.PoolSize < 1:
		return fmt.Errorf("memcached: pool_size %d: must be greater than 0", o.PoolSize)
	}
	if err := remote.CheckPrefix("memcached", o.KeyPrefix); err != nil {
		return err
	}
	seen := make(map[string]bool)
	for _, addr := range o.Addrs {
		if seen[addr] {
			return fmt.Errorf("memcached: address %s is listed twice", addr)
		}
		seen[addr] = true
	}
	return nil
}

// Store is a [sessionstore.Store] in memcached. [Open] returns one.
type Store struct {
	opts    Options
	servers []*server
	working sync.WaitGroup
}

// Open returns a store. It does no I/O: while a server is unreachable, each operation on its
// sessions returns an error.
func Open(opts Options) (*Store, error) {
	if err := opts.complete(); err != nil {
		return nil, err
	}
	s := &Store{opts: opts}
	for _, addr := range opts.Addrs {
		s.servers = append(s.servers, newServer(addr, &opts))
	}
	return s, nil
}

// Get implements [sessionstore.Store].
func (s *Store) Get(ctx context.Context, key string) (sessionstore.Entry, error) {
	return s.do(ctx, key, func(o *operation) (sessionstore.Entry, error) {
		r, err := o.get()
		return r.entry(), err
	})
}

// CompareAndSet implements [sessionstore.Store].
func (s *Store) CompareAndSet(ctx context.Context, key string, old, value []byte, ttl time.Duration) (sessionstore.Entry, error) {
	return s.do(ctx, key, func(o *operation) (sessionstore.Entry, error) {
		create := old == nil // if nothing is there, add takes a single round trip
		for {
			if create {
				if added, err := o.add(value, ttl); added || err != nil {
					return sessionstore.Entry{}, err
				}
			}
			r, err := o.get()
			switch {
			case err != nil:
				return sessionstore.Entry{}, err
			case old == nil && r.item == nil:
				create = true // the record in the way has gone
			case r.is(old), old == nil && r.value == nil:
				create = false
				if replaced, err := o.replace(r, value, ttl); replaced || err != nil {
					return sessionstore.Entry{}, err
				} // the item changed since get: try again
			case r.is(value):
				// an earlier attempt saved it, and its reply was lost
				return sessionstore.Entry{}, nil
			default:
				return o.conflict(r)
			}
		}
	})
}

// CompareAndDelete implements [sessionstore.Store].
func (s *Store) CompareAndDelete(ctx context.Context, key string, old []byte) (sessionstore.Entry, error) {
	return s.do(ctx, key, func(o *operation) (sessionstore.Entry, error) {
		for {
			r, err := o.get()
			switch {
			case err != nil, r.value == nil:
				return sessionstore.Entry{}, err
			case !r.is(old):
				return o.conflict(r)
			}
			if deleted, err := o.delete(r); deleted || err != nil {
				return sessionstore.Entry{}, err
			}
		}
	})
}

// Touch implements [sessionstore.Store]. It writes the record again, because memcached's touch does
// not compare.
func (s *Store) Touch(ctx context.Context, key string, old []byte, ttl time.Duration) error {
	_, err := s.do(ctx, key, func(o *operation) (sessionstore.Entry, error) {
		for {
			r, err := o.get()
			if err != nil || !r.is(old) {
				return sessionstore.Entry{}, err
			}
			if touched, err := o.replace(r, old, ttl); touched || err != nil {
				return sessionstore.Entry{}, err
			}
		}
	})
	return err
}

// Close implements [sessionstore.Store].
func (s *Store) Close() error {
	s.working.Wait()
	errs := make([]error, 0, len(s.servers))
	for _, sv := range s.servers {
		errs = append(errs, sv.client.Close())
	}
	return errors.Join(errs...)
}

func (r record) is(value []byte) bool {
	return r.value != nil && value != nil && bytes.Equal(r.value, value)
}

var _ sessionstore.Store = (*Store)(nil)
