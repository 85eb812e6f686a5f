package stores_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/layout"
	"github.com/caddy-session/caddy-session/sessionstore/mongodb"
	"github.com/caddy-session/caddy-session/test/mongotest"
)

const (
	month = 31 * 24 * time.Hour

	// session is a key of Flask-Session.
	session = "session:fe8977c2-34a9-4945-acc0-6c6821944b9f"
)

// inMongoDB returns an app's collection and a store on it.
func inMongoDB(t *testing.T, server *mongotest.Server, name string) (*mongodb.Store, *mongo.Collection) {
	t.Helper()
	l := layoutOf[layout.MongoDB](t)
	s, err := mongodb.Open(server.URI(), mongodb.Options{
		Database: l.Database, Collection: name, Layout: l, Endless: month, DialTimeout: 10 * time.Second, Timeout: 10 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	client, err := mongo.Connect(options.Client().ApplyURI(server.URI()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Disconnect(context.Background()) })
	return s, client.Database("flask_session").Collection(name)
}

// appSaves saves as Flask-Session does: PyMongo 3 replaces the document, PyMongo 4 sets the same
// fields.
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
		t.Errorf("got %+v", doc)
	}
	return doc.ID, doc.Val.Data, doc.Expiration
}

// TestMongoDB reads what each version of Flask-Session wrote, and writes in place what each version
// can read.
func TestMongoDB(t *testing.T) {
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
		{"0.3.2 with non-permanent sessions", 3, pickled, nil, true},
		{"0.8.0", 4, packed, time.Now().UTC().Add(month), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, c := inMongoDB(t, server, "c"+string(rune('0'+test.pymongo))+map[bool]string{true: "null"}[test.unknown])
			ctx := t.Context()
			appSaves(t, c, test.pymongo, test.value, test.expiration)
			e, err := s.Get(ctx, session)
			if err != nil || !bytes.Equal(e.Value, test.value) || e.TTLUnknown != test.unknown || e.TTL > month || e.TTL < month-time.Minute {
				t.Fatalf("got %+v, %v", e, err)
			}
			id, _, _ := appReads(t, c)

			if _, err := s.CompareAndSet(ctx, session, test.value, []byte("ours"), time.Hour); err != nil {
				t.Fatal(err)
			}
			after, value, expiration := appReads(t, c)
			if at, ok := expiration.(bson.DateTime); after != id || string(value) != "ours" || !ok || time.Until(at.Time()) > time.Hour+time.Millisecond {
				t.Errorf("the app finds %v, %q, %v", after, value, expiration)
			}

			// The app saved in between, so our save conflicts.
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
			save(t, s, session, "new", time.Hour)
			if id, value, _ := appReads(t, c); string(value) != "new" || id.IsZero() {
				t.Errorf("the app finds %v, %q", id, value)
			}
			// The app saves over our record: there is still one document.
			appSaves(t, c, test.pymongo, test.value, test.expiration)
			if n, err := c.CountDocuments(ctx, bson.D{}); err != nil || n != 1 {
				t.Errorf("%d documents, %v", n, err)
			}
		})
	}
}

// TestMongoDBExpiry has expired documents, which Flask-Session deletes itself before 0.7 and leaves
// to the index later.
func TestMongoDBExpiry(t *testing.T) {
	t.Parallel()
	s, c := inMongoDB(t, mongotest.Start(t), "sessions")
	appSaves(t, c, 3, []byte("old"), time.Now().UTC().Add(-time.Second))
	want(t, s, session, "")
	if e, err := s.CompareAndSet(t.Context(), session, []byte("old"), []byte("ours"), time.Hour); err != sessionstore.ErrConflict || e.Found() {
		t.Errorf("a save over it: %+v, %v", e, err)
	}
	save(t, s, session, "ours", time.Hour)
	want(t, s, session, "ours")
	if n, err := c.CountDocuments(t.Context(), bson.D{}); err != nil || n != 1 {
		t.Errorf("%d documents, %v", n, err)
	}
}

// TestMongoDBTwice has two documents with one key, as two processes of an app create them when they
// save at the same time. A logout must delete both.
func TestMongoDBTwice(t *testing.T) {
	t.Parallel()
	s, c := inMongoDB(t, mongotest.Start(t), "sessions")
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
