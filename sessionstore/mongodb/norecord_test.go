package mongodb_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/mongodb"
	"github.com/caddy-session/caddy-session/test/mongotest"
)

// Documents that cannot be a record are errors, and must not be changed.
func TestDocumentsThatAreNoRecords(t *testing.T) {
	t.Parallel()
	server := mongotest.Start(t)
	later := time.Now().UTC().Add(time.Hour).Truncate(time.Millisecond)
	large := make([]byte, sessionstore.MaxValue+1)
	for name, l := range collections {
		opts := mongodb.Options{Collection: name, Layout: l, Endless: time.Hour, DialTimeout: 10 * time.Second, Timeout: 10 * time.Second}
		s, c := open(t, server.URI(), opts), direct(t, server.URI(), "caddy", name)
		for what, fields := range map[string]bson.D{
			"too-large":     {{Key: "val", Value: large}, {Key: "expiration", Value: later}},
			"text":          {{Key: "val", Value: "one"}, {Key: "expiration", Value: later}},
			"another-type":  {{Key: "val", Value: bson.Binary{Subtype: 0x80, Data: []byte("one")}}, {Key: "expiration", Value: later}},
			"no-value":      {{Key: "expiration", Value: later}},
			"other-expiry":  {{Key: "val", Value: []byte("two")}, {Key: "expiration", Value: "2099-01-01"}},
			"no-expiry":     {{Key: "val", Value: []byte("two")}}, // valid in a layout
			"nested-expiry": {{Key: "val", Value: []byte("two")}, {Key: "expiration", Value: bson.D{{Key: "date", Value: 1}}}},
		} {
			if what == "no-expiry" && l != nil {
				continue
			}
			doc := append(bson.D{{Key: "_id", Value: what}, {Key: "key", Value: what}}, fields...)
			if _, err := c.InsertOne(t.Context(), doc); err != nil {
				t.Fatal(err)
			}
			_, err1 := s.Get(t.Context(), what)
			_, err2 := s.CompareAndSet(t.Context(), what, nil, []byte("ours"), time.Hour)
			_, err3 := s.CompareAndSet(t.Context(), what, []byte("one"), []byte("ours"), time.Hour)
			_, err4 := s.CompareAndDelete(t.Context(), what, []byte("one"))
			for i, err := range []error{err1, err2, err3, err4} {
				if !errors.Is(err, sessionstore.ErrRecord) || errors.Is(err, sessionstore.ErrUnavailable) {
					t.Errorf("%s, %s, %d: %v", name, what, i+1, err)
				}
			}
			if err := s.Touch(t.Context(), what, []byte("one"), time.Hour); err != nil {
				t.Errorf("%s, %s: %v", name, what, err)
			}
			wanted, err := bson.Marshal(doc)
			if err != nil {
				t.Fatal(err)
			}
			if is, err := c.FindOne(t.Context(), bson.D{{Key: "_id", Value: what}}).Raw(); err != nil || !bytes.Equal(is, wanted) {
				t.Errorf("%s, %s: the document changed: %v", name, what, err)
			}
		}
	}
}
