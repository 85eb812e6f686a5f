package mongodb_test

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/caddy-session/caddy-session/internal/longtest"
	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/layout"
	"github.com/caddy-session/caddy-session/sessionstore/mongodb"
	"github.com/caddy-session/caddy-session/sessionstore/storetest"
	"github.com/caddy-session/caddy-session/test/mongotest"
)

// clock is a clock that the test advances.
type clock struct{ atomic.Int64 }

func (c *clock) now() time.Time { return time.UnixMilli(c.Load()) }

func (c *clock) advance(d time.Duration) { c.Add(d.Milliseconds()) }

// spread is a store whose keys are in several collections. FerretDB scans the whole collection for
// each filter with more than an _id, so with one collection the suite would take minutes.
type spread struct {
	stores [24]*mongodb.Store
	number int64
}

func openSpread(t *testing.T, number int64, clock *clock, uri string, o mongodb.Options) *spread {
	t.Helper()
	s := &spread{number: number}
	for i := range s.stores {
		o.Collection = fmt.Sprintf("c%d.%d", number, i)
		var err error
		if s.stores[i], err = mongodb.Open(uri, o); err != nil {
			t.Fatal(err)
		}
		s.stores[i].SetClock(clock.now)
	}
	return s
}

func (s *spread) of(key string) *mongodb.Store {
	return s.stores[crc32.ChecksumIEEE([]byte(key))%uint32(len(s.stores))]
}

func (s *spread) Get(ctx context.Context, key string) (sessionstore.Entry, error) {
	return s.of(key).Get(ctx, key)
}

func (s *spread) CompareAndSet(ctx context.Context, key string, old, value []byte, ttl time.Duration) (sessionstore.Entry, error) {
	return s.of(key).CompareAndSet(ctx, key, old, value, ttl)
}

func (s *spread) CompareAndDelete(ctx context.Context, key string, old []byte) (sessionstore.Entry, error) {
	return s.of(key).CompareAndDelete(ctx, key, old)
}

func (s *spread) Touch(ctx context.Context, key string, old []byte, ttl time.Duration) error {
	return s.of(key).Touch(ctx, key, old, ttl)
}

// Walk goes from collection to collection.
func (s *spread) Walk(ctx context.Context, prefix, after string, limit int) (sessionstore.Page, error) {
	number, rest, _ := strings.Cut(after, " ")
	i, _ := strconv.Atoi(number)
	page, err := s.stores[i].Walk(ctx, prefix, rest, limit)
	switch {
	case page.Next != "":
		page.Next = fmt.Sprint(i, " ", page.Next)
	case i+1 < len(s.stores):
		page.Next = fmt.Sprint(i+1, " ")
	}
	return page, err
}

func (s *spread) Close() error {
	var errs [len(s.stores)]error
	for i, store := range s.stores {
		errs[i] = store.Close()
	}
	return errors.Join(errs[:]...)
}

// collections are the layouts to test: our own, and those of another program, whose key is _id or
// not.
var collections = map[string]*layout.MongoDB{
	"native":  nil,
	"foreign": {Key: "key", Value: "val", Expires: "expiration"},
	"unique":  {Key: "_id", Value: "val", Expires: "expiration"},
}

func TestStore(t *testing.T) {
	t.Parallel()
	for name, l := range collections {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name != "native" {
				longtest.Test(t)
			}
			server := mongotest.Start(t)
			var clock clock
			clock.Store(time.Now().UnixMilli())
			var last int64
			open := func(t *testing.T, number int64) sessionstore.Store {
				return openSpread(t, number, &clock, server.URI(), mongodb.Options{
					KeyPrefix: "session:", Layout: l, Endless: time.Hour, PoolSize: 4, DialTimeout: 10 * time.Second, Timeout: 10 * time.Second,
				})
			}
			again := func(t *testing.T, s sessionstore.Store) sessionstore.Store { return open(t, s.(*spread).number) }
			storetest.Run(t, storetest.Harness{
				New:     func(t *testing.T) sessionstore.Store { last++; return open(t, last) },
				Second:  again,
				Reopen:  again,
				Advance: clock.advance,
				Keys:    200,
			})
		})
	}
}

func open(tb testing.TB, uri string, opts mongodb.Options) *mongodb.Store {
	tb.Helper()
	s, err := mongodb.Open(uri, opts)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

// direct returns a collection as other programs see it.
func direct(tb testing.TB, uri, database, collection string) *mongo.Collection {
	tb.Helper()
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = client.Disconnect(context.Background()) })
	return client.Database(database).Collection(collection)
}

func save(tb testing.TB, s *mongodb.Store, key string, old, value []byte) {
	tb.Helper()
	if _, err := s.CompareAndSet(tb.Context(), key, old, value, time.Hour); err != nil {
		tb.Fatal(err)
	}
}

// want checks the record; "" means none.
func want(tb testing.TB, s *mongodb.Store, key, value string) {
	tb.Helper()
	if e, err := s.Get(tb.Context(), key); err != nil || string(e.Value) != value {
		tb.Errorf("got %q, %v; want %q", e.Value, err, value)
	}
}
