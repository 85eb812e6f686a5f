package mongodb_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/mongodb"
	"github.com/caddy-session/caddy-session/test/mongotest"
)

const (
	month = 31 * 24 * time.Hour

	// session is the key of a session as Flask-Session has it.
	session = "session:fe8977c2-34a9-4945-acc0-6c6821944b9f"
)

// flask is the collection of an app, and a store on it.
func flask(t *testing.T, server *mongotest.Server, name string) (*mongodb.Store, *mongo.Collection) {
	t.Helper()
	s := open(t, server.URI(), mongodb.Options{
		Database: "flask_session", Collection: name, Foreign: month, DialTimeout: 10 * time.Second, Timeout: 10 * time.Second,
	})
	return s, direct(t, server.URI(), "flask_session", name)
}

// appSaves saves as Flask-Session does with PyMongo: 3, by replacing the document, or 4, by setting the same fields.
func appSaves(t *testing.T, c *mongo.Collection, pymongo int, value []byte, expiration any) {
	t.Helper()
	doc := bson.D{{Key: "id", Value: session}, {Key: "val", Value: value}, {Key: "expiration", Value: expiration}}
	var err error
	if pymongo == 3 {
		_, err = c.ReplaceOne(t.Context(), bson.D{{Key: "id", Value: session}}, doc, options.Replace().SetUpsert(true))
	} else {
		_, err = c.UpdateOne(t.Context(), bson.D{{Key: "id", Value: session}}, bson.D{{Key: "$set", Value: doc}}, options.UpdateOne().SetUpsert(true))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// appReads reads as Flask-Session does.
func appReads(t *testing.T, c *mongo.Collection) (id bson.ObjectID, value []byte, expiration any) {
	t.Helper()
	var doc struct {
		ID         bson.ObjectID `bson:"_id"`
		Key        string        `bson:"id"`
		Val        bson.Binary
		Expiration any
	}
	if err := c.FindOne(t.Context(), bson.D{{Key: "id", Value: session}}).Decode(&doc); err != nil {
		t.Fatal(err)
	}
	if doc.Key != session || doc.Val.Subtype != 0 {
		t.Errorf("there is %+v", doc)
	}
	return doc.ID, doc.Val.Data, doc.Expiration
}

// TestFlaskSession reads what each version of Flask-Session has written, and writes what each of them can read, in place.
func TestFlaskSession(t *testing.T) {
	t.Parallel()
	server := mongotest.Start(t)
	pickled, packed := []byte("\x80\x04\x95\x14\x00\x00\x00\x00\x00\x00\x00}\x94\x8c\x01u\x94K*s."), []byte("\x81\xa1u\x2a")
	for _, test := range []struct {
		name       string
		pymongo    int
		value      []byte
		expiration any
		unknown    bool
	}{
		{"0.3.2", 3, pickled, time.Now().UTC().Add(month), false},
		{"0.3.2 with sessions that are not permanent", 3, pickled, nil, true},
		{"0.8.0", 4, packed, time.Now().UTC().Add(month), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, c := flask(t, server, "c"+string(rune('0'+test.pymongo))+map[bool]string{true: "null"}[test.unknown])
			ctx := t.Context()
			appSaves(t, c, test.pymongo, test.value, test.expiration)
			e, err := s.Get(ctx, session)
			if err != nil || !bytes.Equal(e.Value, test.value) || e.TTLUnknown != test.unknown || e.TTL > month || e.TTL < month-time.Minute {
				t.Fatalf("there is %+v, %v", e, err)
			}
			id, _, _ := appReads(t, c)

			if _, err := s.CompareAndSet(ctx, session, test.value, []byte("ours"), time.Hour); err != nil {
				t.Fatal(err)
			}
			after, value, expiration := appReads(t, c)
			if at, ok := expiration.(bson.DateTime); after != id || string(value) != "ours" || !ok || time.Until(at.Time()) > time.Hour+time.Millisecond {
				t.Errorf("the app finds %v, %q, %v", after, value, expiration)
			}

			// The app's own save is in the way of ours.
			appSaves(t, c, test.pymongo, test.value, test.expiration)
			if e, err := s.CompareAndSet(ctx, session, []byte("ours"), []byte("ours too"), time.Hour); err != sessionstore.ErrConflict || !bytes.Equal(e.Value, test.value) {
				t.Errorf("a save over the app's: %+v, %v", e, err)
			}
			if e, err := s.CompareAndSet(ctx, session, nil, []byte("ours too"), time.Hour); err != sessionstore.ErrConflict || !bytes.Equal(e.Value, test.value) {
				t.Errorf("a creation over the app's: %+v, %v", e, err)
			}
			if err := s.Touch(ctx, session, test.value, time.Minute); err != nil {
				t.Error(err)
			}
			if e, err := s.Get(ctx, session); err != nil || e.TTLUnknown || e.TTL > time.Minute+time.Millisecond {
				t.Errorf("after a touch there is %+v, %v", e, err)
			}

			if _, err := s.CompareAndDelete(ctx, session, test.value); err != nil {
				t.Error(err)
			}
			if n, err := c.CountDocuments(ctx, bson.D{}); err != nil || n != 0 {
				t.Errorf("%d documents, %v", n, err)
			}
			save(t, s, session, nil, []byte("new"))
			if id, value, _ := appReads(t, c); string(value) != "new" || id.IsZero() {
				t.Errorf("the app finds %v, %q", id, value)
			}
			// The app saves over that, and has one document still.
			appSaves(t, c, test.pymongo, test.value, test.expiration)
			if n, err := c.CountDocuments(ctx, bson.D{}); err != nil || n != 1 {
				t.Errorf("%d documents, %v", n, err)
			}
		})
	}
}

// TestFlaskExpiry has documents that have expired, which Flask-Session before 0.7 deletes itself and later versions leave to the index.
func TestFlaskExpiry(t *testing.T) {
	t.Parallel()
	s, c := flask(t, mongotest.Start(t), "sessions")
	appSaves(t, c, 3, []byte("old"), time.Now().UTC().Add(-time.Second))
	want(t, s, session, "")
	if e, err := s.CompareAndSet(t.Context(), session, []byte("old"), []byte("ours"), time.Hour); err != sessionstore.ErrConflict || e.Found() {
		t.Errorf("a save over it: %+v, %v", e, err)
	}
	save(t, s, session, nil, []byte("ours"))
	want(t, s, session, "ours")
	if n, err := c.CountDocuments(t.Context(), bson.D{}); err != nil || n != 1 {
		t.Errorf("%d documents, %v", n, err)
	}
}

// TestFlaskTwice has two documents under a key, as two processes of an app make them that save at the same time. Whoever logs out must not
// be logged in by the second.
func TestFlaskTwice(t *testing.T) {
	t.Parallel()
	s, c := flask(t, mongotest.Start(t), "sessions")
	for range 2 {
		doc := bson.D{{Key: "id", Value: session}, {Key: "val", Value: []byte("one")}, {Key: "expiration", Value: time.Now().Add(time.Hour)}}
		if _, err := c.InsertOne(t.Context(), doc); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.CompareAndDelete(t.Context(), session, []byte("one")); err != nil {
		t.Error(err)
	}
	want(t, s, session, "")
}

// TestNoRecord has documents that are none of a session's. They are errors, and stay as they are.
func TestNoRecord(t *testing.T) {
	t.Parallel()
	server := mongotest.Start(t)
	later := time.Now().UTC().Add(time.Hour).Truncate(time.Millisecond)
	large := make([]byte, sessionstore.MaxValue+1)
	for name, foreign := range map[string]time.Duration{"native": 0, "foreign": time.Hour} {
		opts := mongodb.Options{Collection: name, Foreign: foreign, DialTimeout: 10 * time.Second, Timeout: 10 * time.Second}
		s, c := open(t, server.URI(), opts), direct(t, server.URI(), mongodb.DefaultDatabase, name)
		for what, fields := range map[string]bson.D{
			"too-large":     {{Key: "val", Value: large}, {Key: "expiration", Value: later}},
			"text":          {{Key: "val", Value: "one"}, {Key: "expiration", Value: later}},
			"another-type":  {{Key: "val", Value: bson.Binary{Subtype: 0x80, Data: []byte("one")}}, {Key: "expiration", Value: later}},
			"no-value":      {{Key: "expiration", Value: later}},
			"other-expiry":  {{Key: "val", Value: []byte("two")}, {Key: "expiration", Value: "2099-01-01"}},
			"no-expiry":     {{Key: "val", Value: []byte("two")}}, // in the foreign layout it is one
			"nested-expiry": {{Key: "val", Value: []byte("two")}, {Key: "expiration", Value: bson.D{{Key: "date", Value: 1}}}},
		} {
			if what == "no-expiry" && foreign > 0 {
				continue
			}
			doc := append(bson.D{{Key: "_id", Value: what}, {Key: "id", Value: what}}, fields...)
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
				t.Errorf("%s, %s: it has changed: %v", name, what, err)
			}
		}
	}
}
