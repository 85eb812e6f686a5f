// Package mongodb stores sessions in a MongoDB collection, one document each: {_id, val,
// expiration}. It needs MongoDB 4.4 or later, or a compatible server with atomic writes of a
// document.
//
// Every operation is one atomic command, so one round trip. A conflict needs a second one to read
// the current record. Times come from this machine's clock, in milliseconds. The driver reads a
// document as a whole before its size is known; MongoDB limits it to 16 MiB.
package mongodb

import (
	"bytes"
	"context"
	"sync"
	"sync/atomic"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"golang.org/x/sync/singleflight"

	"github.com/caddy-session/caddy-session/internal/breaker"
	"github.com/caddy-session/caddy-session/internal/remote"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// Store is a [sessionstore.Store] in MongoDB. It is as durable as the write concern: by default, a
// change is reported as saved when it is in the journals of a majority.
type Store struct {
	source    source
	opts      Options
	documents documents
	breaker   *breaker.Breaker

	// slots has as many places as there are connections. A request waits here for a free
	// connection, so that the wait does not count as a slow server.
	slots chan struct{}

	collection atomic.Pointer[mongo.Collection]
	dialing    singleflight.Group
	mu         sync.Mutex
	closed     bool

	indexing      sync.Once
	indexInterval time.Duration
	background    sync.WaitGroup
	closing       context.Context
	close         context.CancelFunc
}

// Open returns a store in the database at uri, "mongodb://…" or "mongodb+srv://…", with the options
// of the driver. Retries, read preference and timeouts in the URI are ignored. The default write
// concern is majority with journal.
//
// Open does no I/O except for files that the URI names: while the database is unreachable, each
// operation returns an error. Errors contain no secrets of the URI.
func Open(uri string, opts Options) (*Store, error) {
	from, err := prepare(uri, &opts)
	if err != nil {
		return nil, err
	}
	s := &Store{source: from, opts: opts, slots: make(chan struct{}, opts.PoolSize), indexInterval: indexInterval}
	s.documents = documents{MongoDB: own, now: time.Now}
	if opts.Layout != nil {
		s.documents.MongoDB, s.documents.endless = *opts.Layout, opts.Endless
	}
	s.breaker = breaker.New(min(opts.DialTimeout, opts.Timeout)/2, from.server, opts.OnState)
	s.closing, s.close = context.WithCancel(context.Background())
	return s, nil
}

// Get implements [sessionstore.Store].
func (s *Store) Get(ctx context.Context, key string) (sessionstore.Entry, error) {
	var e sessionstore.Entry
	_, err := s.run(ctx, func(ctx context.Context, c *mongo.Collection) (err error) {
		e, err = s.documents.read(ctx, c, s.opts.KeyPrefix+key)
		return err
	})
	return e, err
}

// CompareAndSet implements [sessionstore.Store].
func (s *Store) CompareAndSet(ctx context.Context, key string, old, value []byte, ttl time.Duration) (sessionstore.Entry, error) {
	name := s.opts.KeyPrefix + key
	return s.write(ctx, key, old, value, func(ctx context.Context, c *mongo.Collection) (bool, error) {
		if old == nil {
			return s.documents.create(ctx, c, name, value, ttl)
		}
		return s.documents.replace(ctx, c, name, old, value, ttl)
	})
}

// CompareAndDelete implements [sessionstore.Store].
func (s *Store) CompareAndDelete(ctx context.Context, key string, old []byte) (sessionstore.Entry, error) {
	return s.write(ctx, key, old, nil, func(ctx context.Context, c *mongo.Collection) (bool, error) {
		return s.documents.delete(ctx, c, s.opts.KeyPrefix+key, old)
	})
}

// Touch implements [sessionstore.Store].
func (s *Store) Touch(ctx context.Context, key string, old []byte, ttl time.Duration) error {
	_, err := s.run(ctx, func(ctx context.Context, c *mongo.Collection) error {
		return s.documents.touch(ctx, c, s.opts.KeyPrefix+key, old, ttl)
	})
	return err
}

// Close implements [sessionstore.Store].
func (s *Store) Close() error {
	s.close()
	s.background.Wait()
	s.mu.Lock()
	collection := s.collection.Load()
	s.closed = true
	s.mu.Unlock()
	if collection == nil {
		return nil
	}
	return disconnect(collection.Database().Client())
}

// write runs a command that changes a document if it holds old, or, if old is nil, if there is
// none.
func (s *Store) write(ctx context.Context, key string, old, value []byte, command func(context.Context, *mongo.Collection) (bool, error)) (sessionstore.Entry, error) {
	return remote.Write(old, value, bytes.Equal, unavailable, func() (done, lost bool, err error) {
		lost, err = s.run(ctx, func(ctx context.Context, c *mongo.Collection) (err error) {
			done, err = command(ctx, c)
			return err
		})
		return done, lost, err
	}, func() (sessionstore.Entry, error) { return s.Get(ctx, key) })
}

// Interface guard
var _ sessionstore.Store = (*Store)(nil)
