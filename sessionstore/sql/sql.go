// Package sql stores sessions in a table of an SQL database. The packages below it are the drivers:
// postgres, mysql (also for MariaDB) and sqlite.
//
// Every operation is one atomic statement, so one round trip. A conflict needs a second one to read
// the current record. Times come from the database's clock, in milliseconds or finer.
package sql

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddy-session/caddy-session/internal/breaker"
	"github.com/caddy-session/caddy-session/internal/folder"
	"github.com/caddy-session/caddy-session/internal/remote"
	"github.com/caddy-session/caddy-session/sessionstore"
)

// Store is a [sessionstore.Store] in an SQL database. It is as durable as the database.
type Store struct {
	driver  *Driver
	dsn     string
	opts    Options
	texts   texts
	breaker *breaker.Breaker
	secret  string
	place   *folder.Place // nil if the database is not a file

	// readers and writers are the same pool unless the database allows one writer at a time.
	readers, writers *pool

	// ready says that the table has been checked. checking is held by the goroutine that checks.
	ready    atomic.Bool
	checking chan struct{}

	sweeping   sync.Once
	background sync.WaitGroup
	closing    context.Context
	close      context.CancelFunc
}

// Open returns a store in the database that dsn names in the driver's format. It does no I/O except
// for files that the DSN names: while the database is unreachable, each operation returns an error.
// Errors do not contain the DSN.
func Open(d *Driver, dsn string, opts Options) (*Store, error) {
	if err := opts.complete(d); err != nil {
		return nil, err
	}
	source, err := d.Connect(dsn, &opts)
	if err != nil {
		return nil, err
	}
	s := &Store{
		driver: d, dsn: dsn, opts: opts, texts: newTexts(d, &opts),
		breaker: breaker.New(min(opts.DialTimeout, opts.Timeout)/2, source.Server, opts.OnState),
		secret:  source.Secret, place: source.Place, checking: make(chan struct{}, 1),
	}
	s.writers = newPool(source.Connector, d, &opts, d.OneWriter)
	s.readers = s.writers
	if d.OneWriter {
		s.readers = newPool(source.Connector, d, &opts, false)
	}
	s.closing, s.close = context.WithCancel(context.Background())
	return s, nil
}

// Get implements [sessionstore.Store].
func (s *Store) Get(ctx context.Context, key string) (sessionstore.Entry, error) {
	var e sessionstore.Entry
	var tooLarge bool
	_, err := s.run(ctx, s.readers, func(ctx context.Context) error {
		value, left, err := s.readers.record(ctx, s.texts.get, s.opts.KeyPrefix+key)
		e = sessionstore.Entry{}
		if tooLarge = errors.Is(err, errTooLarge); tooLarge {
			return nil // the statement itself succeeded
		}
		if err == nil && value != nil {
			e = sessionstore.Entry{Value: value, TTL: max(left, time.Microsecond)}
		}
		return err
	})
	if err == nil && tooLarge {
		err = fmt.Errorf("%w: %s: the record is larger than %d bytes", sessionstore.ErrRecord, s.driver.Name, sessionstore.MaxValue)
	}
	return e, err
}

// CompareAndSet implements [sessionstore.Store].
func (s *Store) CompareAndSet(ctx context.Context, key string, old, value []byte, ttl time.Duration) (sessionstore.Entry, error) {
	name, lifetime := s.opts.KeyPrefix+key, remote.Milliseconds(ttl)
	if old == nil {
		return s.write(ctx, key, old, value, s.texts.create, name, value, lifetime)
	}
	how, what := s.texts.match(old)
	return s.write(ctx, key, old, value, how.replace, value, lifetime, name, what)
}

// CompareAndDelete implements [sessionstore.Store].
func (s *Store) CompareAndDelete(ctx context.Context, key string, old []byte) (sessionstore.Entry, error) {
	how, what := s.texts.match(old)
	return s.write(ctx, key, old, nil, how.delete, s.opts.KeyPrefix+key, what)
}

// Touch implements [sessionstore.Store].
func (s *Store) Touch(ctx context.Context, key string, old []byte, ttl time.Duration) error {
	how, what := s.texts.match(old)
	_, err := s.run(ctx, s.writers, func(ctx context.Context) error {
		_, err := s.writers.exec(ctx, how.touch, remote.Milliseconds(ttl), s.opts.KeyPrefix+key, what)
		return err
	})
	return err
}

// Close implements [sessionstore.Store].
func (s *Store) Close() error {
	s.close()
	s.background.Wait()
	err := s.writers.close()
	if s.readers != s.writers {
		err = errors.Join(err, s.readers.close())
	}
	return err
}

// write runs a statement that changes one row if it holds old, or, if old is nil, if there is none.
func (s *Store) write(ctx context.Context, key string, old, value []byte, text string, args ...any) (sessionstore.Entry, error) {
	return remote.Write(old, value, same, s.unavailable, func() (done, lost bool, err error) {
		var n int64
		lost, err = s.run(ctx, s.writers, func(ctx context.Context) (err error) {
			n, err = s.writers.exec(ctx, text, args...)
			return err
		})
		return n > 0, lost, err
	}, func() (sessionstore.Entry, error) { return s.Get(ctx, key) })
}

// same reports whether two records are equal.
func same(a, b []byte) bool {
	if isNative(a) && isNative(b) {
		return bytes.Equal(a[:sessionstore.VersionLen], b[:sessionstore.VersionLen])
	}
	return bytes.Equal(a, b)
}

func isNative(value []byte) bool {
	return len(value) > sessionstore.VersionLen && value[0] == sessionstore.FormatNative
}

// Interface guard
var _ sessionstore.Store = (*Store)(nil)
