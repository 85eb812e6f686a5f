// Package memcached keeps sessions in memcached, on one server or spread over several. What it keeps is as durable as memcached
// is: a server that is restarted, or whose memory is full, loses sessions.
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

	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/layout"
)

const (
	// DefaultTimeout is well below the second that a session's load or commit may take, so that a server that hangs
	// leaves time for another attempt.
	DefaultTimeout = 400 * time.Millisecond

	// MaxPrefix is the length of the longest prefix: memcached's keys have 250 bytes.
	MaxPrefix = 250 - sessionstore.MaxKey
)

// Options say which servers a [Store] uses, and how.
type Options struct {
	// Addrs are "host:port" of the servers; a path that begins with "/" is a Unix socket. At least one. Each session is on one
	// server, which follows from its key and the addresses, whatever their order; when one comes or goes, the
	// others keep theirs.
	Addrs []string

	// KeyPrefix comes before every key. It may be empty, and has [MaxPrefix] bytes at most.
	KeyPrefix string

	// Timeout bounds how long connecting takes, and a reply. Default: 400 ms.
	Timeout time.Duration

	// PoolSize is the largest number of connections to a server. Default: 10 for each processor.
	PoolSize int

	// Layout shares the records of another program: they are bare, with the flags that its client gives them. Nil: each begins
	// with its deadline. With one server only: with several, each client has its own way to choose one.
	Layout *layout.Memcached

	// Lifetime is how long a program with a Layout lets a record live after it was saved. Memcached does not say how long it will
	// still keep what is bare: every entry's time to live is said to be unknown, and this long at most, and memcached
	// alone decides, to the second, when it has run out.
	Lifetime time.Duration

	// OnState is called when a server is found to be out of reach, with the error, and when it is back, with nil. It must
	// not block.
	OnState func(addr string, err error)
}

// Check returns the error that [Open] would.
func (o Options) Check() error { return o.complete() }

// complete checks the options and sets their defaults.
func (o *Options) complete() error {
	o.Timeout = cmp.Or(o.Timeout, DefaultTimeout)
	o.PoolSize = cmp.Or(o.PoolSize, 10*runtime.GOMAXPROCS(0))
	switch {
	case len(o.Addrs) == 0:
		return errors.New("memcached: no address")
	case len(o.KeyPrefix) > MaxPrefix:
		return fmt.Errorf("memcached: key_prefix: it has %d bytes, and may have %d at most", len(o.KeyPrefix), MaxPrefix)
	case o.Timeout < time.Millisecond:
		return fmt.Errorf("memcached: timeout %s: it must be a millisecond at least", o.Timeout)
	case o.Layout != nil && len(o.Addrs) > 1:
		return errors.New("memcached: an app's records are shared on one server only: which of several has one, its client alone knows")
	case o.Layout != nil && o.Lifetime < time.Second:
		return fmt.Errorf("memcached: lifetime %s: it must be a second at least", o.Lifetime)
	case o.PoolSize < 1:
		return fmt.Errorf("memcached: pool_size %d: it must be greater than 0", o.PoolSize)
	}
	for i := range len(o.KeyPrefix) {
		if c := o.KeyPrefix[i]; c < '!' || c > '~' {
			return fmt.Errorf("memcached: key_prefix: %q may hold printable ASCII characters without spaces only", o.KeyPrefix)
		}
	}
	seen := make(map[string]bool)
	for _, addr := range o.Addrs {
		if seen[addr] {
			return fmt.Errorf("memcached: address %s stands there twice", addr)
		}
		seen[addr] = true
	}
	return nil
}

// Store is a [sessionstore.Store] in memcached. Make one with [Open].
type Store struct {
	opts    Options
	servers []*server
	working sync.WaitGroup
}

// Open makes the store. It does no I/O: a server that is out of reach is an error of each operation on its sessions, for as
// long as it is.
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
	return s.do(ctx, key, func(v *visit) (sessionstore.Entry, error) {
		r, err := v.get()
		return r.entry(), err
	})
}

// CompareAndSet implements [sessionstore.Store].
func (s *Store) CompareAndSet(ctx context.Context, key string, old, value []byte, ttl time.Duration) (sessionstore.Entry, error) {
	return s.do(ctx, key, func(v *visit) (sessionstore.Entry, error) {
		create := old == nil // if nothing is there, one round trip is enough
		for {
			if create {
				if added, err := v.add(value, ttl); added || err != nil {
					return sessionstore.Entry{}, err
				}
			}
			r, err := v.get()
			switch {
			case err != nil:
				return sessionstore.Entry{}, err
			case old == nil && r.item == nil:
				create = true // what was in the way has gone
			case r.is(old), old == nil && r.value == nil:
				create = false
				if replaced, err := v.replace(r, value, ttl); replaced || err != nil {
					return sessionstore.Entry{}, err
				} // something has changed at this moment
			case r.is(value):
				return sessionstore.Entry{}, nil // saved before, and the answer was lost
			default:
				return v.conflict(r)
			}
		}
	})
}

// CompareAndDelete implements [sessionstore.Store].
func (s *Store) CompareAndDelete(ctx context.Context, key string, old []byte) (sessionstore.Entry, error) {
	return s.do(ctx, key, func(v *visit) (sessionstore.Entry, error) {
		for {
			r, err := v.get()
			switch {
			case err != nil, r.value == nil:
				return sessionstore.Entry{}, err
			case !r.is(old):
				return v.conflict(r)
			}
			if deleted, err := v.delete(r); deleted || err != nil {
				return sessionstore.Entry{}, err
			}
		}
	})
}

// Touch implements [sessionstore.Store]. Memcached's own touch compares nothing, so the record is written once more.
func (s *Store) Touch(ctx context.Context, key string, old []byte, ttl time.Duration) error {
	_, err := s.do(ctx, key, func(v *visit) (sessionstore.Entry, error) {
		for {
			r, err := v.get()
			if err != nil || !r.is(old) {
				return sessionstore.Entry{}, err
			}
			if touched, err := v.replace(r, old, ttl); touched || err != nil {
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
