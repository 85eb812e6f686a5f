// Package mongodb keeps sessions in a collection of MongoDB, a document each: {_id, val, expiration}. It needs MongoDB 4.4 or
// newer, or what is compatible and writes a document as atomically.
//
// Every operation is one command that is atomic by itself, and so one round trip; only a conflict needs another, to
// see what is there instead. Times are those of this machine's clock, to the millisecond. A document that another program has put there
// is read as a whole before its size is known, which MongoDB limits to 16 MiB.
package mongodb

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/caddy-session/caddy-session/internal/breaker"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// Store is a [sessionstore.Store] in MongoDB. It is as durable as the write concern says: by default, what was answered is in
// the journals of a majority.
type Store struct {
	source    source
	opts      Options
	documents documents
	breaker   *breaker.Breaker

	// slots has no more users than there are connections, so that who waits for one waits here, and is not taken for
	// one whom the server keeps waiting.
	slots chan struct{}

	mu         sync.Mutex
	collection *mongo.Collection
	making     *making
	closed     bool

	indexing   sync.Once
	background sync.WaitGroup
	closing    context.Context
	close      context.CancelFunc
}

// Open makes the store in the database at the URI, "mongodb://…" or "mongodb+srv://…", with the driver's options; what
// they say about repetitions, read preference and time limits is not followed. Without a write concern there, it is
// that of a majority, with its journals. Open does no I/O but for files that the URI names: a database that is out of reach is an error of each
// operation, for as long as it is. No error holds the URI's secrets.
func Open(uri string, opts Options) (*Store, error) {
	from, err := prepare(uri, &opts)
	if err != nil {
		return nil, err
	}
	s := &Store{source: from, opts: opts, slots: make(chan struct{}, opts.PoolSize)}
	s.documents = documents{MongoDB: own, now: time.Now}
	if opts.Layout != nil {
		s.documents.MongoDB, s.documents.endless = *opts.Layout, opts.Endless
	}
	var onChange func(error)
	if opts.OnState != nil {
		onChange = func(err error) { opts.OnState(from.server, err) }
	}
	s.breaker = breaker.New(s.slow(), onChange)
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
	collection := s.collection
	s.closed = true
	s.mu.Unlock()
	if collection == nil {
		return nil
	}
	return disconnect(collection.Database().Client())
}

// rounds is how often a write begins anew that has changed nothing although what it expects is there.
const rounds = 10

var (
	errLost  = errors.New("an answer was lost, and the record has been changed since by another or by this very write")
	errChurn = errors.New("the record does not stay as it is for long enough")
)

// write runs a command that changes a document if old is in it, or, where old is nil, if there is none. If it is not done with
// that, what is there says why: value is there, so that it has succeeded already; or else another.
//
// An attempt whose answer was lost may have been executed, and what it wrote may have been written over meanwhile. Nobody
// can know any more: this is then an error and no conflict, or the same change would be made again.
func (s *Store) write(ctx context.Context, key string, old, value []byte, command func(context.Context, *mongo.Collection) (bool, error)) (sessionstore.Entry, error) {
	uncertain := false
	for range rounds {
		var done bool
		lost, err := s.run(ctx, func(ctx context.Context, c *mongo.Collection) (err error) {
			done, err = command(ctx, c)
			return err
		})
		if err != nil || done {
			return sessionstore.Entry{}, err
		}
		uncertain = uncertain || lost
		e, err := s.Get(ctx, key)
		switch {
		case err != nil:
			return sessionstore.Entry{}, err
		case same(e.Value, value):
			return sessionstore.Entry{}, nil
		case same(e.Value, old):
			continue // it has come back meanwhile, or, to be created, has expired
		case uncertain:
			return sessionstore.Entry{}, unavailable(errLost)
		default:
			return e, sessionstore.ErrConflict
		}
	}
	return sessionstore.Entry{}, unavailable(errChurn)
}

// same reports whether two records are the same; nil stands for none.
func same(a, b []byte) bool {
	return (a == nil) == (b == nil) && bytes.Equal(a, b)
}

// Interface guard
var _ sessionstore.Store = (*Store)(nil)
