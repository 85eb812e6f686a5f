package mongodb

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/caddy-session/caddy-session/sessionstore"
	"github.com/caddy-session/caddy-session/sessionstore/layout"
)

// fieldID is the one field that MongoDB keeps unique in every collection.
const fieldID = "_id"

// own is the layout of our own collections.
var own = layout.MongoDB{Key: fieldID, Value: "val", Expires: "expiration"}

// documents reads and writes the records of a collection.
type documents struct {
	layout.MongoDB

	// endless is the time to live that is reported for a document without an expiry. If it is 0,
	// such a document is not a record.
	endless time.Duration

	now func() time.Time
}

// unique reports whether a key has at most one document. Otherwise the first document that the
// server finds is the record, as for the program that owns the collection.
func (d *documents) unique() bool { return d.Key == fieldID }

// named selects the document of a key, expired or not.
func (d *documents) named(name string) bson.D { return bson.D{{Key: d.Key, Value: name}} }

// holding selects the document of a key if it has not expired and holds that value. It compares the
// whole value: BSON cannot compare a prefix.
func (d *documents) holding(name string, value []byte) bson.D {
	filter := append(d.named(name), bson.E{Key: d.Value, Value: binary(value)})
	lives := bson.E{Key: d.Expires, Value: bson.D{{Key: "$gt", Value: d.millis()}}}
	if d.endless == 0 {
		return append(filter, lives)
	}
	// Null also matches a missing field.
	return append(filter, bson.E{Key: "$or", Value: bson.A{bson.D{lives}, bson.D{{Key: d.Expires, Value: nil}}}})
}

// read returns the record under a name.
func (d *documents) read(ctx context.Context, c *mongo.Collection, name string) (sessionstore.Entry, error) {
	doc, err := c.FindOne(ctx, d.named(name)).Raw()
	switch {
	case errors.Is(err, mongo.ErrNoDocuments):
		return sessionstore.Entry{}, nil
	case err != nil:
		return sessionstore.Entry{}, err
	}
	return d.entry(doc, d.now())
}

// create inserts the document or overwrites an expired one. It does nothing if there is a live one.
func (d *documents) create(ctx context.Context, c *mongo.Collection, name string, value []byte, ttl time.Duration) (done bool, err error) {
	if d.unique() {
		_, err = c.InsertOne(ctx, append(d.named(name), d.fields(value, ttl)...))
		done = err == nil
	} else {
		done, err = d.upsert(ctx, c, name, value, ttl)
	}
	if err != nil && !mongo.IsDuplicateKeyError(err) || done {
		return done, err
	}
	expired := append(d.named(name), bson.E{Key: d.Expires, Value: bson.D{{Key: "$lte", Value: d.millis()}}})
	return changed(c.UpdateOne(ctx, expired, set(d.fields(value, ttl)...)))
}

// upsert inserts a document with an _id derived from its key, so that two proxies never insert two.
func (d *documents) upsert(ctx context.Context, c *mongo.Collection, name string, value []byte, ttl time.Duration) (done bool, err error) {
	doc := append(bson.D{{Key: fieldID, Value: objectID(name)}}, d.fields(value, ttl)...)
	result, err := c.UpdateOne(ctx, d.named(name), bson.D{{Key: "$setOnInsert", Value: doc}}, options.UpdateOne().SetUpsert(true))
	return err == nil && result.UpsertedCount > 0, err
}

func (d *documents) replace(ctx context.Context, c *mongo.Collection, name string, old, value []byte, ttl time.Duration) (done bool, err error) {
	return changed(c.UpdateOne(ctx, d.holding(name, old), set(d.fields(value, ttl)...)))
}

func (d *documents) touch(ctx context.Context, c *mongo.Collection, name string, old []byte, ttl time.Duration) error {
	_, err := c.UpdateOne(ctx, d.holding(name, old), set(bson.E{Key: d.Expires, Value: d.after(ttl)}))
	return err
}

// delete deletes the document. If keys are not unique, it never reports done: another document of
// the same key would become the record, and a user who has logged out would be logged in again.
func (d *documents) delete(ctx context.Context, c *mongo.Collection, name string, old []byte) (done bool, err error) {
	result, err := c.DeleteOne(ctx, d.holding(name, old))
	return err == nil && result.DeletedCount > 0 && d.unique(), err
}

func changed(result *mongo.UpdateResult, err error) (bool, error) {
	return err == nil && result.MatchedCount > 0, err
}

func set(fields ...bson.E) bson.D { return bson.D{{Key: "$set", Value: bson.D(fields)}} }

// fields returns the fields that a save changes.
func (d *documents) fields(value []byte, ttl time.Duration) bson.D {
	return bson.D{{Key: d.Value, Value: binary(value)}, {Key: d.Expires, Value: d.after(ttl)}}
}

func binary(value []byte) bson.Binary {
	return bson.Binary{Subtype: bson.TypeBinaryGeneric, Data: value}
}

// objectID must never change: proxies of different versions write to one collection.
func objectID(name string) (id bson.ObjectID) {
	sum := sha256.Sum256([]byte(name))
	copy(id[:], sum[:])
	return id
}
